"""Seeds one fault at a time into a small good tree and expects docs.py to name it."""

import datetime
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

import docs

TODAY = datetime.date(2026, 1, 31)
FRONT = "---\nowner: maintainers\nlast_reviewed: 2026-01-01\nstatus: current\ncovers: src\n---\n\n"
GOOD = {
    "src/lib.rs": "",
    "README.md": "# Top\n\nSee [the docs](docs/README.md) and [here](#top).\n",
    "docs/README.md": "# Index\n\n- [One](one.md#part-two-x)\n",
    "docs/one.md": FRONT + "# One\n\n## Part two: `x`\n\n```sh\nnaap replay --data-dir d \\\n    FILE | head\n```\n",
}
NAAP = """#!/bin/sh
case "$*" in
--help) printf 'Usage: naap\\n\\nCommands:\\n  replay  x\\n  config  y\\n\\nOptions:\\n  -h, --help\\n' ;;
"replay --help") printf 'Usage: naap replay\\n\\nOptions:\\n      --data-dir <DIR>\\n' ;;
"config --help") printf 'Commands:\\n  check  x\\n' ;;
*) printf 'Options:\\n' ;;
esac
"""


class DocsCheck(unittest.TestCase):
    def run_on(self, **changes):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for path, text in {**GOOD, **{k.replace("__", "/") + ".md": v for k, v in changes.items()}}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
            naap = root / "naap"
            naap.write_text(NAAP)
            naap.chmod(naap.stat().st_mode | stat.S_IXUSR)
            _, problems, warnings = docs.check(root, TODAY, str(naap))
            return problems, warnings

    def expect(self, text, **changes):
        problems, _ = self.run_on(**changes)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(text, problems[0])

    def command(self, line):
        return {"docs__one": FRONT + f"# One\n\n## Part two: x\n\n```sh\n{line}\n```\n"}

    def test_good_tree_passes(self):
        self.assertEqual(self.run_on(), ([], []))

    def test_broken_link(self):
        self.expect("leads to nothing", README="[x](docs/none.md)\n")

    def test_link_out_of_the_repository(self):
        self.expect("leads to nothing", README="[x](../../etc/passwd)\n")

    def test_broken_reference_link(self):
        self.expect("leads to nothing", README="[x][y]\n\n[y]: nowhere.md\n")

    def test_broken_anchor(self):
        self.expect("no heading", README="[x](docs/one.md#part-three)\n")

    def test_link_in_code_is_no_link(self):
        self.assertEqual(self.run_on(README="`[x](no.md)`\n\n```text\n[x](no.md)\n```\n"), ([], []))

    def test_repeated_heading_gets_a_number(self):
        self.assertEqual(self.run_on(README="# A\n\n# A\n\n[x](#a-1)\n"), ([], []))

    def test_unreachable_page(self):
        self.expect("cannot be reached", docs__two=FRONT + "# Two\n")

    def test_missing_front_matter_field(self):
        self.expect("lacks owner", docs__one=FRONT.replace("owner: maintainers\n", "") + "## Part two: x\n")

    def test_unknown_status(self):
        self.expect("status", docs__one=FRONT.replace("current", "fine") + "## Part two: x\n")

    def test_bad_date(self):
        self.expect("ISO date", docs__one=FRONT.replace("2026-01-01", "January") + "## Part two: x\n")

    def test_old_review_warns_then_fails(self):
        problems, warnings = self.run_on(docs__one=FRONT.replace("2026-01-01", "2025-07-01") + "## Part two: x\n")
        self.assertEqual((problems, len(warnings)), ([], 1))
        self.expect("days ago", docs__one=FRONT.replace("2026-01-01", "2024-07-01") + "## Part two: x\n")

    def test_covers_nothing(self):
        self.expect("does not exist", docs__one=FRONT.replace("src", "gone") + "## Part two: x\n")

    def test_unknown_command(self):
        self.expect("not a command", **self.command("$ target/release/naap rewind x"))

    def test_unknown_nested_command(self):
        self.expect("config frob", **self.command("NAAP_X=1 naap config frob"))

    def test_unknown_flag(self):
        self.expect("no flag --dir", **self.command("echo && naap replay --dir=x"))

    def test_missing_subcommand(self):
        self.expect("lacks its subcommand", **self.command("naap config"))


if __name__ == "__main__":
    unittest.main()
