"""Each rule of manifests.py finds its seeded fault."""

import copy
import unittest

import manifests

LABELS = {"app": "naap"}
SINGLE = '[http]\nlisten = "0.0.0.0:9600"\n'
CLUSTER = SINGLE + """
[state_log]
store = "kafka"
[cluster]
service = "peers:9700"
ca_file = "/tls/ca.crt"
cert_file = "/tls/tls.crt"
key_file = "/tls/tls.key"
"""
PROBE = {"httpGet": {"path": "/", "port": "admin"}}
GOOD = [
    {"kind": "ConfigMap", "metadata": {"name": "naap"}, "data": {"naap.toml": SINGLE}},
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
                            "volumeMounts": [{"mountPath": "/tls"}],
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
            (1, ("selector",), {"app": "other"}),
            (1, ("ports", 0, "targetPort"), "nowhere"),
            (2, ("serviceName",), "nobody"),
            (2, ("template", "spec", "securityContext", "runAsNonRoot"), False),
            (2, ("template", "spec", "securityContext", "seccompProfile", "type"), "Unconfined"),
            (2, ("template", "spec", "automountServiceAccountToken"), True),
            (2, ("template", "spec", "enableServiceLinks"), True),
            (2, (*container, "securityContext", "readOnlyRootFilesystem"), False),
            (2, (*container, "securityContext", "allowPrivilegeEscalation"), True),
            (2, (*container, "securityContext", "capabilities"), {}),
            (2, (*container, "livenessProbe"), {}),
        ]
        for index, path, value in faults:
            objects = copy.deepcopy(GOOD)
            place = objects[index]["spec"]
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
            self.assertEqual(len(manifests.problems_of(objects)), 1, path)

    def test_probes_reach_the_interface(self):
        objects = copy.deepcopy(GOOD)
        objects[0]["data"]["naap.toml"] = ""
        self.assertEqual(len(manifests.problems_of(objects)), 1)

    def test_several_replicas(self):
        objects = copy.deepcopy(GOOD)
        objects[0]["data"]["naap.toml"] = CLUSTER
        spec = objects[2]["spec"]
        spec["replicas"] = 3
        self.assertEqual(len(manifests.problems_of(objects)), 1, "they may share a machine")
        spec["template"]["spec"]["affinity"] = {"podAntiAffinity": {"required": "..."}}
        self.assertEqual(manifests.problems_of(objects), [])
        for line in ('"kafka"', '"peers:9700"', '"/tls/ca.crt"', '"/tls/tls.crt"', '"/tls/tls.key"'):
            objects[0]["data"]["naap.toml"] = CLUSTER.replace(line, '"other"')
            self.assertEqual(len(manifests.problems_of(objects)), 1, line)


if __name__ == "__main__":
    unittest.main()
