"""Finds queries of dashboards and documents that join demand without its model, which counts sessions once per model (backlog 009)."""

import re
import subprocess
import sys
from pathlib import Path

# What holds queries of people; the definitions of views join by whole keys and are tested.
FILES = re.compile(r"\.(sql|md|json|ipynb|ya?ml)$")
EXEMPT = re.compile(r"^(deploy/clickhouse/|tests/fixtures/)")
DEMAND = re.compile(r"\bv_api_network_demand\b")
JOIN = re.compile(r"\bJOIN\b", re.IGNORECASE)


def statements(text: str) -> list[tuple[int, str]]:
    """Pieces that may be statements, with their offset: what a semicolon, an empty line or a quote of JSON ends."""
    pieces, start = [], 0
    for end in re.finditer(r";|\n\s*\n|\n```|(?<!\\)\"", text):
        pieces.append((start, text[start : end.start()]))
        start = end.end()
    return [*pieces, (start, text[start:])]


def levels(sql: str) -> list[str]:
    """The text of each level of parentheses, without what is nested in it; lists of `USING` stay."""
    sql = re.sub(r"\bUSING\s*\(([^()]*)\)", r"USING \1", sql, flags=re.IGNORECASE)
    found, open_levels = [], [""]
    for char in sql:
        if char == "(":
            open_levels.append("")
        elif char == ")" and len(open_levels) > 1:
            found.append(open_levels.pop())
        else:
            open_levels[-1] += char
    return found + open_levels


def findings(path: str, text: str) -> list[str]:
    """The queries of one file that join demand without its model."""
    if EXEMPT.search(path) or not FILES.search(path):
        return []
    found = []
    for offset, sql in statements(text):
        for level in levels(sql):
            join = JOIN.search(level)
            if join and DEMAND.search(level) and not re.search(r"\bmodel_id\b", level[join.start() :]):
                line = text.count("\n", 0, offset + sql.find("v_api_network_demand")) + 1
                found.append(f"{path}:{line}: v_api_network_demand is joined without model_id; join by it, or sum the rows of demand first")
    return found


def main() -> int:
    root = Path(__file__).resolve().parents[2]
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root, check=True, capture_output=True, text=True,
    ).stdout.split("\0")
    problems = []
    for path in filter(FILES.search, listing):
        if (root / path).is_file():
            problems += findings(path, (root / path).read_text(encoding="utf-8"))
    for problem in problems:
        print(f"error: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
