"""Seeds one difference at a time between a rule, its page and the code, and expects alerts.py to name it."""

import tempfile
import unittest
from pathlib import Path

import alerts

GOOD = {
    "actors/src/names.rs": 'pub const LAG: &str = "naap_lag";\npub const AGE: &str = "naap_age_seconds";\npub const OLD: &str = "naap_old";\n',
    "node/src/lib.rs": "gauge!(names::LAG); histogram!(names::AGE);",
    alerts.RULES: "groups:\n  - rules:\n      - alert: BigLag\n        # Not naap_old.\n        expr: naap_lag > naap_age_seconds_sum\n"
    "        labels: { severity: critical }\n        annotations:\n          page: docs/alerts/big-lag.md\n",
    "docs/alerts/big-lag.md": "# BigLag\n\nSeverity: critical.\n\n## Fires when\n\n`naap_lag` exceeds `naap_age_seconds_sum`.\n\n"
    "## Means\n\nSee `naap_old`.\n",
}


class Alerts(unittest.TestCase):
    def errors(self, path="", old="", new=""):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in GOOD.items():
                file = Path(folder) / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text.replace(old, new) if name == path else text)
            return alerts.check(Path(folder))

    def test_what_agrees_passes(self):
        self.assertEqual(self.errors(), [])

    def test_each_difference_is_named(self):
        page = "docs/alerts/big-lag.md"
        for path, old, new, told in [
            (alerts.RULES, "BigLag", "SmallLag", "no rule"),
            (alerts.RULES, "BigLag", "SmallLag", "SmallLag has no page"),
            (alerts.RULES, "critical", "warning", "severity"),
            (alerts.RULES, "big-lag.md", "other.md", "does not name its page"),
            (alerts.RULES, "naap_lag >", "naap_gone >", "naap_gone, which the code does not register"),
            (alerts.RULES, "naap_lag >", "naap_old >", "naap_old, which the code does not register"),
            (alerts.RULES, "naap_lag >", "naap_age_seconds >", "too"),
            (page, "`naap_lag` exceeds", "`naap_lag` or `naap_old` exceeds", "no rule looks at naap_old"),
            ("node/src/lib.rs", "names::LAG", "names::OLD", "naap_lag, which the code does not register"),
        ]:
            errors = self.errors(path, old, new)
            self.assertTrue(any(told in error for error in errors), f"{told}: {errors}")


if __name__ == "__main__":
    unittest.main()
