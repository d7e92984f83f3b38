"""Seeded queries: the ones that multiply sessions are found, the ones of docs/serving.md are not."""

import unittest

import demand

BAD = """SELECT d.pipeline_id, sum(d.known_sessions_count), avg(s.sla_score)
FROM v_api_network_demand AS d
INNER JOIN naap.v_api_sla_compliance AS s USING (org, window_start, pipeline_id)
GROUP BY d.pipeline_id"""


class Demand(unittest.TestCase):
    def count(self, text, path="dashboards/demand.sql"):
        return len(demand.findings(path, text))

    def test_a_join_without_the_model_is_found(self):
        self.assertEqual(self.count(BAD), 1)
        self.assertEqual(self.count(f"Text\n\n```sql\n{BAD}\n```\n", "docs/x.md"), 1)
        one_line = BAD.replace("\n", " ")
        self.assertEqual(self.count(f'{{"rawSql": "{one_line}", "model_id": 1}}', "dashboards/x.json"), 1)
        on = BAD.replace("USING (org, window_start, pipeline_id)", "ON s.org = d.org AND s.pipeline_id = d.pipeline_id")
        self.assertEqual(self.count(on), 1)

    def test_the_model_or_a_sum_before_the_join_is_enough(self):
        self.assertEqual(self.count(BAD.replace("pipeline_id)", "pipeline_id, model_id)")), 0)
        summed = "SELECT * FROM (SELECT pipeline_id, sum(total_minutes) FROM v_api_network_demand GROUP BY pipeline_id) JOIN x USING (pipeline_id)"
        self.assertEqual(self.count(summed), 0)
        self.assertEqual(self.count("SELECT sum(total_minutes) FROM v_api_network_demand; SELECT 1 FROM a JOIN b USING (c)"), 0)

    def test_other_grains_and_files_are_not_meant(self):
        self.assertEqual(self.count(BAD.replace("v_api_network_demand", "v_api_network_demand_pipeline")), 0)
        self.assertEqual(self.count(BAD, "deploy/clickhouse/views/x.sql"), 0)
        self.assertEqual(self.count(BAD, "node/src/x.rs"), 0)


if __name__ == "__main__":
    unittest.main()
