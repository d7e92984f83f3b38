"""Each rule of manifests.py finds its seeded fault."""

import copy
import unittest

import manifests

LABELS = {"app": "naap"}
PROBE = {"httpGet": {"path": "/", "port": "admin"}}
GOOD = [
    {"kind": "Service", "metadata": {"name": "peers"}, "spec": {"selector": LABELS, "ports": [{"targetPort": "admin"}]}},
    {
        "kind": "StatefulSet",
        "metadata": {"name": "naap"},
        "spec": {
            "serviceName": "peers",
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [
                        {
                            "name": "naap",
                            "ports": [{"name": "admin"}],
                            "startupProbe": PROBE,
                            "livenessProbe": PROBE,
                            "readinessProbe": PROBE,
                            "securityContext": {
                                "readOnlyRootFilesystem": True,
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                            },
                        }
                    ],
                },
            },
        },
    },
]


class Manifests(unittest.TestCase):
    def test_good(self):
        self.assertEqual(manifests.problems_of(GOOD), [])

    def test_nothing_rendered(self):
        self.assertEqual(len(manifests.problems_of([])), 1)

    def test_each_seeded_fault(self):
        container = ("template", "spec", "containers", 0)
        faults = [
            (0, ("selector",), {"app": "other"}),
            (0, ("ports", 0, "targetPort"), "nowhere"),
            (1, ("serviceName",), "nobody"),
            (1, ("template", "spec", "securityContext", "runAsNonRoot"), False),
            (1, ("template", "spec", "securityContext", "seccompProfile", "type"), "Unconfined"),
            (1, ("template", "spec", "automountServiceAccountToken"), True),
            (1, ("template", "spec", "enableServiceLinks"), True),
            (1, (*container, "securityContext", "readOnlyRootFilesystem"), False),
            (1, (*container, "securityContext", "allowPrivilegeEscalation"), True),
            (1, (*container, "securityContext", "capabilities"), {}),
            (1, (*container, "livenessProbe"), {}),
        ]
        for index, path, value in faults:
            objects = copy.deepcopy(GOOD)
            place = objects[index]["spec"]
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
            self.assertEqual(len(manifests.problems_of(objects)), 1, path)


if __name__ == "__main__":
    unittest.main()
