"""The chart and the manifests made of it: Kubernetes takes them, stream-rec its settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from stream_rec.cli import cli
from stream_rec.config import Settings, load
from stream_rec.topics.acls import PURPOSE
from tests.deploy.programs import ROOT, require, run

pytestmark = pytest.mark.container  # `make test-deploy` runs them, once it has built Helm

CHART = ROOT / "deploy/helm/stream-rec"
MANIFESTS = ROOT / "deploy/kubernetes/stream-rec.yaml"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
ALL = [
    "login.enabled=true",
    "login.caSecret=events-cluster-ca-cert",
    "settings.kafka.security_protocol=SASL_SSL",
    "serve.ranks=true",
    "serve.autoscaling.enabled=true",
    "podMonitor.enabled=true",
    "imagePullSecrets[0].name=registry",
    "worker.nodeSelector.disk=fast",
    "worker.storageClassName=fast",
    "ingest.enabled=true",
    "ingest.registrySecret=registry",
    "settings.ingest.topics.clicks.name=shop.clicks",
    "sink.enabled=true",
    "sink.passwordSecret=lists-db",
    "settings.sink.url=postgresql://lists@db:5432/shop",
]
CHOICES = {
    "as it stands": [],
    "hpa": [*ALL, "worker.autoscaling.kind=hpa"],
    "keda": [*ALL, "worker.autoscaling.kind=keda"],
    "with tokens": [
        "login.enabled=true",
        "settings.kafka.security_protocol=SASL_SSL",
        "settings.kafka.sasl_mechanism=OAUTHBEARER",
        "settings.kafka.oauth_token_url=https://idp/token",
    ],
    "least": [
        "dashboard.enabled=false",
        "topics.enabled=false",
        "networkPolicy.enabled=false",
        "settings.kafka.partitions=2",
    ],
}
ROLES = ("worker", "embedder", "serve", "dashboard", "topics")
ASKED_FOR = ("ingest", "sink")
WITH_THEM = [f"{role}.enabled=true" for role in ASKED_FOR]

each_choice = pytest.mark.parametrize("values", CHOICES.values(), ids=CHOICES)


def rendered(values: list[str]) -> str:
    """Return what the chart makes of its values with these set."""
    made = run(ROOT / "deploy/kubernetes/generate.sh", *(f"--set={value}" for value in values), HELM=require("helm"))
    assert made.returncode == 0, made.stderr
    return made.stdout


def resources(text: str, kind: str = "") -> list[dict[str, Any]]:
    """Return the resources of a text, of one kind or all."""
    return [one for one in yaml.safe_load_all(text) if one and kind in ("", one["kind"])]


def pods(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield role and specification of each pod."""
    for one in resources(text):
        if "template" in one["spec"] if "spec" in one else False:
            template = one["spec"]["template"]
            yield template["metadata"]["labels"]["app.kubernetes.io/component"], template["spec"]


def environment(container: dict[str, Any]) -> dict[str, str]:
    """Return the variables that a container gets as text."""
    return {one["name"]: one["value"] for one in container["env"] if "value" in one}


def test_helm_finds_nothing_to_say():
    """`helm lint --strict`."""
    checked = run(require("helm"), "lint", "--strict", CHART)

    assert checked.returncode == 0, checked.stdout


def test_the_manifests_are_what_the_chart_makes():
    """After a change to the chart: `deploy/kubernetes/generate.sh > deploy/kubernetes/stream-rec.yaml`."""
    assert MANIFESTS.read_text() == rendered([])


@each_choice
def test_kubernetes_takes_it(values, tmp_path):
    """By its own schemas, strictly: no field that it does not know."""
    file = tmp_path / "made.yaml"
    file.write_text(rendered(values))

    checked = run(require("kubernetes-validate"), "--strict", "--quiet", file)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    unknown = [line for line in (checked.stdout + checked.stderr).splitlines() if line]
    assert all("PodMonitor" in line or "ScaledObject" in line for line in unknown)


@each_choice
def test_stream_rec_takes_its_settings(values, tmp_path):
    """The settings file of the chart is one, and so are the variables of each process."""
    made = rendered(values)
    (settings,) = resources(made, "ConfigMap")
    file = tmp_path / "stream-rec.toml"
    file.write_text(settings["data"]["stream-rec.toml"])

    for _, pod in pods(made):
        (container,) = pod["containers"]
        given = environment(container)
        assert given.pop("STREAM_REC_CONFIG") == "/etc/stream-rec/stream-rec.toml"
        load(file, environ=given)


def test_settings_of_every_type_get_there(tmp_path):
    """Numbers stay what they are, large ones too; so do lists and tables."""
    values = tmp_path / "values.yaml"
    values.write_text(
        "settings: {worker: {watched_users: 1000000000, commit_interval_s: 2}, "
        'serve: {cors_origins: ["https://shop.example"]}, embedder: {passage_prefix: "a \\"quoted\\" one"}}'
    )
    made = run(ROOT / "deploy/kubernetes/generate.sh", f"--values={values}", HELM=require("helm")).stdout

    (settings,) = resources(made, "ConfigMap")
    file = tmp_path / "settings.toml"
    file.write_text(settings["data"]["stream-rec.toml"])
    loaded = load(file, environ={})
    assert loaded.worker.watched_users == 1_000_000_000
    assert loaded.worker.commit_interval_s == 2.0
    assert loaded.serve.cors_origins == ("https://shop.example",)
    assert loaded.embedder.passage_prefix == 'a "quoted" one'


def test_no_pod_may_more_than_it_needs():
    """Not root, nothing written but its volumes, no capability, no token of the cluster, bounded memory."""
    assert set(dict(pods(MANIFESTS.read_text()))) == set(ROLES)
    found = dict(pods(rendered(WITH_THEM)))
    assert set(found) == {*ROLES, *ASKED_FOR}
    for role, pod in found.items():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] >= 10_000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), role
            assert "memory" in container["resources"]["limits"], role


def test_each_process_is_asked_whether_it_lives_and_is_ready():
    """At the port where it says so."""
    for role, pod in pods(rendered(WITH_THEM)):
        if role == "topics":
            continue
        (container,) = pod["containers"]
        (port,) = container["ports"]
        for probe, path in (("livenessProbe", "/healthz"), ("startupProbe", "/healthz"), ("readinessProbe", "/readyz")):
            assert container[probe]["httpGet"] == {"path": path, "port": port["name"]}
        variables = environment(container)
        prefix = {"serve": "SERVE", "dashboard": "DASHBOARD"}.get(role, "TELEMETRY")
        assert int(variables[f"STREAM_REC_{prefix}_PORT"]) == port["containerPort"]
        assert variables[f"STREAM_REC_{prefix}_HOST"] == "0.0.0.0"


def test_a_worker_is_the_same_one_when_it_starts_anew():
    """Its name and its volume stay with its number: it gets its partitions back and has read most of them."""
    (worker,) = (
        one for one in resources(MANIFESTS.read_text(), "StatefulSet") if one["metadata"]["name"].endswith("worker")
    )
    (container,) = worker["spec"]["template"]["spec"]["containers"]

    (name,) = (one for one in container["env"] if one["name"] == "STREAM_REC_WORKER_INSTANCE_ID")
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    (volume,) = worker["spec"]["volumeClaimTemplates"]
    mounted = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert mounted[volume["metadata"]["name"]] == "/var/lib/stream-rec"


def test_nobody_is_reached_who_need_not_be():
    """A policy for each process, both ways; to the outside only Kafka, names, and models over HTTPS."""
    policies = resources(rendered(WITH_THEM), "NetworkPolicy")
    others = {"ingest": {8081}, "sink": {5432, 6379}}

    selected = {
        one["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]: one["spec"] for one in policies
    }
    assert set(selected) == {*ROLES, *ASKED_FOR}
    for role, spec in selected.items():
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        ports = {port["port"] for rule in spec["egress"] for port in rule["ports"]}
        assert ports - {443} == {53, *VALUES["networkPolicy"]["kafkaPorts"], *others.get(role, ())}
        assert (443 in ports) == (role in ("worker", "embedder", "serve"))
    assert "ingress" not in selected["topics"]
    assert len(selected["worker"]["ingress"][0]["from"]) == 1


def test_each_process_logs_in_as_itself():
    """With the users that `topics acls` has, and passwords from Secrets of their names, as Strimzi makes them."""
    users = VALUES["login"]["users"]
    assert set(users.values()) <= set(PURPOSE)

    found = {}
    for role, pod in pods(rendered(["login.enabled=true", "login.caSecret=ca", *WITH_THEM])):
        variables = {one["name"]: one for one in pod["containers"][0]["env"]}
        user = variables["STREAM_REC_KAFKA_SASL_USERNAME"]["value"]
        password = variables["STREAM_REC_KAFKA_SASL_PASSWORD"]
        assert password["valueFrom"]["secretKeyRef"] == {"name": user, "key": "password"}
        assert variables["STREAM_REC_KAFKA_SSL_CAFILE"]["value"] == "/etc/stream-rec-kafka/ca.crt"
        found[role] = user
    assert found == {role: users["admin" if role == "topics" else role] for role in (*ROLES, *ASKED_FOR)}


def test_each_process_gets_tokens_as_itself():
    """Of the OIDC provider, as the client of its user's name; the policies let them ask for it."""
    tokens = ["settings.kafka.sasl_mechanism=OAUTHBEARER", "settings.kafka.oauth_token_url=https://idp/token"]
    login = ["login.enabled=true", "login.caSecret=ca", "login.tokenCaKey=idp.crt", "networkPolicy.tokenPorts={8443}"]
    made = rendered([*tokens, *login])

    for role, pod in pods(made):
        variables = {one["name"]: one for one in pod["containers"][0]["env"]}
        user = variables["STREAM_REC_KAFKA_OAUTH_CLIENT_ID"]["value"]
        assert user == VALUES["login"]["users"]["admin" if role == "topics" else role]
        secret = variables["STREAM_REC_KAFKA_OAUTH_CLIENT_SECRET"]["valueFrom"]["secretKeyRef"]
        assert secret == {"name": user, "key": "password"}
        assert variables["STREAM_REC_KAFKA_OAUTH_CAFILE"]["value"] == "/etc/stream-rec-kafka/idp.crt"
        assert not any("SASL" in name for name in variables)
    policies = resources(made, "NetworkPolicy")
    assert [one for one in policies if {"ports": [{"port": 8443}]} not in one["spec"]["egress"]] == []


@pytest.mark.parametrize("kind", ["hpa", "keda"])
def test_workers_are_never_more_than_there_are_partitions(kind):
    """Whatever scales them; their number is then not the chart's."""
    made = rendered([f"worker.autoscaling.kind={kind}", "worker.autoscaling.maxReplicas=50"])

    (scaler,) = resources(made, {"hpa": "HorizontalPodAutoscaler", "keda": "ScaledObject"}[kind])
    most = scaler["spec"]["maxReplicas" if kind == "hpa" else "maxReplicaCount"]
    assert most == VALUES["settings"]["kafka"]["partitions"]
    assert "stream_rec_lag_records" in str(scaler)
    (worker,) = (one for one in resources(made, "StatefulSet") if one["metadata"]["name"].endswith("worker"))
    assert "replicas" not in worker["spec"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["worker.replicas=9"], "worker.replicas is more than settings.kafka.partitions"),
        (["worker.autoscaling.kind=cron"], "worker.autoscaling.kind is none, hpa or keda"),
    ],
)
def test_what_cannot_be_is_refused(values, said):
    """Before anything is made."""
    made = run(ROOT / "deploy/kubernetes/generate.sh", *(f"--set={value}" for value in values), HELM=require("helm"))

    assert (made.returncode, made.stdout) == (1, "")
    assert said in made.stderr


def test_passwords_of_others_come_from_secrets():
    """That of the schema registry, and that of the database; of nobody else."""
    made = rendered([*WITH_THEM, "ingest.registrySecret=registry", "sink.passwordSecret=lists-db"])
    found = {
        (role, one["name"]): one["valueFrom"]["secretKeyRef"]
        for role, pod in pods(made)
        for one in pod["containers"][0]["env"]
        if "secretKeyRef" in one.get("valueFrom", ())
    }
    assert found == {
        ("ingest", "STREAM_REC_REGISTRY_PASSWORD"): {"name": "registry", "key": "password"},
        ("sink", "STREAM_REC_SINK_PASSWORD"): {"name": "lists-db", "key": "password"},
    }


def test_processes_of_the_chart_are_commands_of_the_program():
    """What a container is told to run is there."""
    for _, pod in pods(rendered(WITH_THEM)):
        (container,) = pod["containers"]
        assert CliRunner().invoke(cli, [*container["args"], "--help"]).exit_code == 0, container["args"]


def test_partitions_of_the_chart_are_replicated():
    """Unlike the defaults of a laptop."""
    assert VALUES["settings"]["kafka"]["replication_factor"] == 3 > Settings().kafka.replication_factor
