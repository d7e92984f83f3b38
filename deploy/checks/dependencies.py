"""The table of docs/dependencies.md and the root Cargo.toml name the same crates and versions."""

import re
import sys
import tomllib
from pathlib import Path

ROW = re.compile(r"^\| `([\w-]+)` \| (\S+) \| (\S.*) \|$", re.MULTILINE)


def differences(manifest: str, table: str) -> list[str]:
    declared = {
        name: value if isinstance(value, str) else value["version"]
        for name, value in tomllib.loads(manifest)["workspace"]["dependencies"].items()
        if isinstance(value, str) or "path" not in value
    }
    listed = {name: version for name, version, _ in ROW.findall(table)}
    return (
        [f"{name} is in Cargo.toml but has no line in docs/dependencies.md" for name in declared.keys() - listed.keys()]
        + [f"{name} is in docs/dependencies.md but not in Cargo.toml" for name in listed.keys() - declared.keys()]
        + [
            f"{name} is {declared[name]} in Cargo.toml but {listed[name]} in docs/dependencies.md"
            for name in declared.keys() & listed.keys() if declared[name] != listed[name]
        ]
    )


def main() -> int:
    root = Path(__file__).resolve().parents[2]
    problems = differences((root / "Cargo.toml").read_text(), (root / "docs/dependencies.md").read_text())
    for problem in sorted(problems):
        print(f"error: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
