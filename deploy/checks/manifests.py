"""Rules that schemas cannot see: selectors match labels, ports exist, pods are locked down. Reads one rendered file."""

import sys
import tomllib


def problems_of(objects: list[dict]) -> list[str]:
    sets = [item for item in objects if item["kind"] == "StatefulSet"]
    if not sets:
        return ["no StatefulSet is rendered"]
    found = []
    labels = [item["spec"]["template"]["metadata"]["labels"] for item in sets]
    for item in objects:
        name = f"{item['kind']}/{item['metadata']['name']}"
        spec = item.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector")
        if item["kind"] in ("Service", "PodDisruptionBudget", "NetworkPolicy", "StatefulSet"):
            wanted = (selector or {}).get("matchLabels", selector) or {}
            if not wanted or not any(wanted.items() <= have.items() for have in labels):
                found.append(f"{name}: the selector {wanted} matches no pod")
        if item["kind"] == "Service":
            known = {port["name"] for one in sets for pod in pod_containers(one) for port in pod["ports"]}
            found += [f"{name}: target port {port['targetPort']} is no container port" for port in spec["ports"] if port["targetPort"] not in known]
        if item["kind"] == "StatefulSet":
            found += [f"{name}: {text}" for text in pod_problems(item, objects)]
            found += [f"{name}: {text}" for text in config_problems(item, objects)]
    return found


def pod_containers(item: dict) -> list[dict]:
    return item["spec"]["template"]["spec"]["containers"]


def pod_problems(item: dict, objects: list[dict]):
    pod = item["spec"]["template"]["spec"]
    services = {one["metadata"]["name"] for one in objects if one["kind"] == "Service"}
    if item["spec"]["serviceName"] not in services:
        yield f"the service {item['spec']['serviceName']} is not rendered"
    if not pod.get("securityContext", {}).get("runAsNonRoot"):
        yield "pods may run as root"
    if pod.get("securityContext", {}).get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "the seccomp profile is not RuntimeDefault"
    if pod.get("automountServiceAccountToken", True):
        yield "a service account token is mounted"
    if pod.get("enableServiceLinks", True):
        yield "service links would add NAAP_ variables that strict configuration refuses"
    for container in pod["containers"]:
        context = container.get("securityContext", {})
        if not context.get("readOnlyRootFilesystem"):
            yield f"container {container['name']} may write its root file system"
        if context.get("allowPrivilegeEscalation", True):
            yield f"container {container['name']} may gain privileges"
        if context.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"container {container['name']} keeps capabilities"
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if container.get(probe, {}).get("httpGet", {}).get("port") not in ports:
                yield f"container {container['name']} lacks a {probe} on one of its ports"


def config_problems(item: dict, objects: list[dict]):
    """What pods and their naap.toml must agree on."""
    files = [one["data"]["naap.toml"] for one in objects if one["kind"] == "ConfigMap"]
    config = tomllib.loads(files[0]) if files else {}
    if not config.get("http", {}).get("listen", "127.0.0.1").startswith("0.0.0.0:"):
        yield "http.listen is no address that probes reach"
    if item["spec"].get("replicas", 1) == 1:
        return
    cluster = config.get("cluster", {})
    mounts = {mount["mountPath"] for container in pod_containers(item) for mount in container["volumeMounts"]}
    if config.get("state_log", {}).get("store") != "kafka":
        yield "several replicas need state_log.store = kafka"
    if cluster.get("service", "").split(":")[0] != item["spec"]["serviceName"]:
        yield "several replicas find each other by cluster.service, which must be their headless service"
    for key in ("ca_file", "cert_file", "key_file"):
        if not any(cluster.get(key, "").startswith(f"{mount}/") for mount in mounts):
            yield f"several replicas need cluster.{key} in a mounted folder"
    if not item["spec"]["template"]["spec"].get("affinity", {}).get("podAntiAffinity"):
        yield "several replicas may share a machine"


def main() -> int:
    import yaml  # comes with the schema validator, not with Python

    with open(sys.argv[1], encoding="utf-8") as file:
        problems = problems_of([item for item in yaml.safe_load_all(file) if item])
    for problem in problems:
        print(f"error: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
