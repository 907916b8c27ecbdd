"""`proa uninject`: what `proa inject` did, undone."""

import json

import pytest
import yaml
from click.testing import CliRunner, Result

from cli.__main__ import main

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: demo}
spec:
  template:
    spec:
      containers:
      - name: app
        readinessProbe:
          httpGet: {port: 8080}
---
apiVersion: v1
kind: Service
metadata: {name: web}
"""


def proa(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def test_an_injected_manifest_comes_back_as_its_text() -> None:
    injected = proa("inject", "-f", "-", stdin=DEPLOYMENT)
    assert "15100" in injected.stdout
    restored = proa("uninject", "-f", "-", stdin=injected.stdout)
    assert (restored.exit_code, restored.stdout) == (0, DEPLOYMENT)
    assert restored.stderr == "Deployment demo/web: sidecar removed\n"


def test_json_is_written_if_asked_for() -> None:
    injected = proa("inject", "-f", "-", "-o", "json", stdin=DEPLOYMENT.partition("---")[0])
    restored = proa("uninject", "-f", "-", "-o", "json", stdin=injected.stdout)
    assert json.loads(restored.stdout) == next(yaml.safe_load_all(DEPLOYMENT))


def test_what_has_no_sidecar_passes_through() -> None:
    result = proa("uninject", "-f", "-", stdin=DEPLOYMENT)
    assert (result.exit_code, result.stdout) == (0, DEPLOYMENT)
    assert result.stderr == "Deployment demo/web: had no sidecar\n"


@pytest.mark.parametrize(
    "stdin", ["a: [", proa("inject", "-f", "-", stdin=DEPLOYMENT).stdout.replace('version":3', 'version":7')]
)
def test_what_cannot_be_undone_is_refused_with_nothing_written(stdin: str) -> None:
    result = proa("uninject", "-f", "-", stdin=stdin)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "found" in result.stderr


def test_a_kind_of_the_users_own_goes_there_and_back() -> None:
    rollout = DEPLOYMENT.replace("apps/v1", "argoproj.io/v1alpha1").replace("Deployment", "Rollout")
    where = ("--template-path", "argoproj.io/Rollout=spec.template")
    injected = proa("inject", "-f", "-", *where, stdin=rollout)
    assert injected.stderr == "Rollout demo/web: injected (namespace_enabled)\n"
    assert proa("inject", "-f", "-", *where, stdin=injected.stdout).stdout == injected.stdout
    assert proa("uninject", "-f", "-", *where, stdin=injected.stdout).stdout == rollout


def test_a_path_that_is_none_is_refused() -> None:
    result = proa("inject", "-f", "-", "--template-path", "Rollout", stdin=DEPLOYMENT)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "group/Kind=path.to.template" in result.stderr
