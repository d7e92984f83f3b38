"""A missing, an extra and a stale line are each found."""

import unittest

import dependencies

MANIFEST = '[workspace.dependencies]\nown = { path = "own" }\na = "1"\nb = { version = "=2.0", features = ["x"] }\n'


class Dependencies(unittest.TestCase):
    def count(self, *lines):
        return len(dependencies.differences(MANIFEST, "\n".join(lines)))

    def test_each_difference(self):
        a, b = "| `a` | 1 | why |", "| `b` | =2.0 | why |"
        self.assertEqual(self.count(a, b), 0)
        self.assertEqual(self.count(a), 1)
        self.assertEqual(self.count(a, b, "| `c` | 3 | why |"), 1)
        self.assertEqual(self.count(a, "| `b` | 2.1 | why |"), 1)


if __name__ == "__main__":
    unittest.main()
