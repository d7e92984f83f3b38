"""Compares a change with coupdate.toml: what it touches and what must be touched with it."""

import argparse
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

HERE = Path(__file__).resolve().parent
TRAILER = re.compile(r"^Co-update-exempt:\s*([\w-]+):\s*\S", re.MULTILINE)


def touches(paths, patterns) -> bool:
    return any(fnmatchcase(path, pattern) for path in paths for pattern in patterns)


def verdict(changes: list[tuple[str, str]], messages: str, rules: dict) -> list[str]:
    """Problems of a change: a list of (git status letter, path) and the commit messages."""
    exempt = set(TRAILER.findall(messages))
    paths = [path for _, path in changes]
    problems = []
    if "append-only" not in exempt:
        problems += [
            f"append-only: {path} was published before and may not change; add a new migration"
            for status, path in changes if status != "A" and touches([path], rules["append_only"])
        ]
    for rule in rules["rule"]:
        if rule["name"] in exempt or not touches(paths, rule["when"]):
            continue
        others = [path for path in paths if not touches([path], rule["when"])]
        problems += [
            f"{rule['name']}: the change must also touch {need['what']} ({', '.join(need['any'])})"
            for need in rule["needs"] if not touches(others, need["any"])
        ]
    return problems


def load_rules() -> dict:
    return tomllib.loads((HERE / "coupdate.toml").read_text(encoding="utf-8"))


def git(*args: str) -> str:
    return subprocess.run(["git", *args], cwd=HERE.parents[1], check=True, capture_output=True, text=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, help="the revision that the change starts from")
    base = parser.parse_args().base
    # Without rename detection a renamed migration shows as a deletion, which append-only must see.
    lines = git("diff", "--no-renames", "--name-status", f"{base}...HEAD").splitlines()
    changes = [(line[0], line.split("\t", 1)[1]) for line in lines]
    problems = verdict(changes, git("log", "--format=%B", f"{base}..HEAD"), load_rules())
    for problem in problems:
        print(f"error: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
