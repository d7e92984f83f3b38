"""Scans the tracked files for names of the old system and for names without the `naap` prefix (rules: names.toml)."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent


def findings(path: str, text: str, rules: dict) -> list[str]:
    """What is wrong with one file; nothing for an exempt path."""
    if any(re.search(pattern, path) for pattern in rules["exempt"]):
        return []
    found = []
    for rule in rules["forbidden"]:
        for match in re.finditer(rule["pattern"], text):
            found.append(f"{path}:{line_of(text, match)}: '{match.group(0)}' is a name of the old system; say naap, or add a reason to names.toml")
    for rule in rules["prefix"]:
        if not re.search(rule["files"], path):
            continue
        for match in re.finditer(rule["name"], text):
            name = match.group(1)
            if name not in rules["platform"]["names"] and not re.search(rule["must"], name):
                found.append(f"{path}:{line_of(text, match)}: {rule['what']} '{name}' does not match {rule['must']}")
    return found


def line_of(text: str, match: re.Match) -> int:
    return text.count("\n", 0, match.start()) + 1


def load_rules() -> dict:
    return tomllib.loads((HERE / "names.toml").read_text(encoding="utf-8"))


def main() -> int:
    root = HERE.parents[1]
    rules = load_rules()
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root, check=True, capture_output=True, text=True,
    ).stdout.split("\0")
    problems = []
    for path in filter(None, listing):
        try:
            text = (root / path).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # binary data, or deleted in this work tree
        problems += findings(path, text, rules)
    for problem in problems:
        print(f"error: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
