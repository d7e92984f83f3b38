#!/usr/bin/env python3
"""Alert rules, their pages and the metrics of the code say the same.

Each rule has a page of its name and each page a rule; the severities of both agree; a page names the metrics of its rules
under "Fires when", and each of them is one that the code registers. Where promtool is installed it checks the syntax and
runs the cases of deploy/alerts/tests.yaml.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

METRIC = re.compile(r"naap_[a-z0-9_]+")
CONSTANT = re.compile(r'const (\w+): &str =\s*"(naap_[a-z0-9_]+)"')
RULES = "deploy/alerts/naap.rules.yaml"


def registered(root: Path) -> set[str]:
    """Metrics that have a constant which is used somewhere."""
    text = "\n".join(file.read_text() for top in ("actors", "node") for file in sorted((root / top / "src").rglob("*.rs")))
    return {metric for name, metric in CONSTANT.findall(text) if len(re.findall(rf"\b{name}\b", text)) > 1}


def rules_of(text: str) -> dict[str, tuple[set[str], set[str], set[str]]]:
    """Severities, metrics and named pages of the rules of each alert."""
    found: dict[str, tuple[set[str], set[str], set[str]]] = {}
    text = re.sub(r"^\s*#.*", "", text, flags=re.MULTILINE)
    for rule in re.split(r"^\s*- alert: ", text, flags=re.MULTILINE)[1:]:
        severities, metrics, pages = found.setdefault(rule.split()[0], (set(), set(), set()))
        severities.update(re.findall(r"severity: (\w+)", rule))
        metrics.update(METRIC.findall(rule))
        pages.update(re.findall(r"page: (\S+)", rule))
    return found


def check(root: Path) -> list[str]:
    known, errors = registered(root), []
    rules = rules_of((root / RULES).read_text())
    pages = {}
    for path in sorted((root / "docs/alerts").glob("*.md")):
        text = path.read_text()
        pages[re.search(r"^# (\w+)", text, re.MULTILINE)[1]] = (path.relative_to(root).as_posix(), text)
    errors += [f"{path}: no rule of {RULES} is named {name}" for name, (path, _) in pages.items() if name not in rules]
    for name, (severities, metrics, linked) in rules.items():
        plain = {metric: re.sub("_(bucket|sum|count)$", "", metric) for metric in metrics}
        unknown = sorted(metric for metric in metrics if not {metric, plain[metric]} & known)
        errors += [f"{RULES}: {name} looks at {metric}, which the code does not register" for metric in unknown]
        if name not in pages:
            errors.append(f"{RULES}: {name} has no page in docs/alerts")
            continue
        path, text = pages[name]
        if linked != {path}:
            errors.append(f"{RULES}: {name} does not name its page, {path}")
        told = set(re.findall("critical|warning", re.search(r"^Severity: (.*)", text, re.MULTILINE)[1]))
        if told != severities:
            errors.append(f"{path}: severity is {sorted(told)}, that of the rules {sorted(severities)}")
        fires = set(METRIC.findall(text.split("## Fires when")[1].split("\n## ")[0]))
        errors += [f"{path}: the rules look at {metric} too" for metric in sorted(metrics - fires)]
        errors += [f"{path}: no rule looks at {metric}" for metric in sorted(fires - metrics)]
    return errors


def main() -> int:
    root = Path(__file__).resolve().parents[2]
    errors = check(root)
    for error in errors:
        print(error)
    if not shutil.which("promtool"):
        print("skipped: the syntax of the alert rules and their cases, for want of promtool")
        return 1 if errors else 0
    for args in (["check", "rules", "naap.rules.yaml"], ["test", "rules", "tests.yaml"]):
        done = subprocess.run(["promtool", *args], cwd=root / "deploy/alerts", capture_output=True, text=True, check=False)
        if done.returncode:
            errors.append(done.stdout + done.stderr)
            print(errors[-1])
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
