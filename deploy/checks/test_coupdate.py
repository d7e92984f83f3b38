"""Seeded change sets with their expected verdicts."""

import unittest

import coupdate

RULES = coupdate.load_rules()
GOOD = [
    ("A", "deploy/clickhouse/0009_x.sql"),
    ("M", "protocol/src/rows/raw.rs"),
    ("M", "node/tests/schema.rs"),
    ("M", "docs/tables.md"),
]


class CoUpdate(unittest.TestCase):
    def rules_hit(self, changes, messages=""):
        return sorted({problem.split(":")[0] for problem in coupdate.verdict(changes, messages, RULES)})

    def test_good(self):
        self.assertEqual(self.rules_hit(GOOD), [])
        self.assertEqual(self.rules_hit([("M", "README.md")]), [])

    def test_ddl_needs_each_part(self):
        for left_out in range(1, len(GOOD)):
            self.assertEqual(self.rules_hit(GOOD[:left_out] + GOOD[left_out + 1 :]), ["ddl"], GOOD[left_out])

    def test_migrations_are_append_only(self):
        for status in "MD":
            self.assertEqual(self.rules_hit([(status, "deploy/clickhouse/0007_x.sql"), *GOOD[1:]]), ["append-only"])

    def test_codec_needs_golden_bytes(self):
        self.assertEqual(self.rules_hit([("M", "protocol/src/wire/header.rs")]), ["codec"])

    def test_config_needs_reference(self):
        self.assertEqual(self.rules_hit([("M", "node/src/config/mod.rs")]), ["config"])

    def test_trailer_needs_a_reason(self):
        change = [("M", "node/src/config/mod.rs")]
        self.assertEqual(self.rules_hit(change, "x\n\nCo-update-exempt: config: comment only\n"), [])
        self.assertEqual(self.rules_hit(change, "x\n\nCo-update-exempt: config:\n"), ["config"])


if __name__ == "__main__":
    unittest.main()
