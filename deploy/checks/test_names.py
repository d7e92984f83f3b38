"""Seeded names: each wrong one is found, each right or exempt one is not."""

import unittest

import names

RULES = names.load_rules()


class Names(unittest.TestCase):
    def count(self, path, text):
        return len(names.findings(path, text, RULES))

    def test_old_names(self):
        for text in ("package com.livepeer.x", "com/livepeer/X", "a Flink job"):
            self.assertEqual(self.count("docs/x.md", text), 1, text)

    def test_history_may_name_the_old_system(self):
        self.assertEqual(self.count("docs/history.md", "a Flink job"), 0)

    def test_environment(self):
        self.assertEqual(self.count("node/src/a.rs", 'env::var("QUALITY_TOPIC")'), 1)
        self.assertEqual(self.count("node/src/a.rs", '#[arg(env = "CLICKHOUSE_URL")]'), 1)
        self.assertEqual(self.count("node/src/a.rs", 'env::var("NAAP_URL"); env::var_os("HOME")'), 0)

    def test_metrics(self):
        self.assertEqual(self.count("node/src/a.rs", 'counter!("lag_total")'), 1)
        self.assertEqual(self.count("node/src/a.rs", 'describe_gauge!(\n  "lag"'), 1)
        self.assertEqual(self.count("node/src/a.rs", 'histogram!("naap_lag_seconds")'), 0)

    def test_groups(self):
        self.assertEqual(self.count("k8s/x.toml", 'group_id = "ingest"'), 1)
        self.assertEqual(self.count("k8s/x.toml", 'group_id = "naap.prod.ingest"'), 0)


if __name__ == "__main__":
    unittest.main()
