from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import Refused
from webhook.registration import Revision, Trust
from webhook.settings import Settings, settings

DEFAULT = Settings("host", Revision(), Trust.PROA, Path("/var/run/secrets/proa.dev/serving"), 9443, 8080)


def test_an_empty_environment_is_the_default_revision() -> None:
    assert settings({}, "host") == DEFAULT
    assert DEFAULT.name == "proa-webhook"


def test_everything_can_be_said() -> None:
    said = {
        "POD_NAME": "proa-webhook-canary-1",
        "POD_NAMESPACE": "proa-system",
        "PROA_REVISION": "canary",
        "PROA_TRUST": "cert-manager",
        "PROA_SERVING_DIRECTORY": "/serving",
        "PROA_CONFIGURATION_FILE": "/configuration/mesh.yaml",
        "PROA_CLIENT_CA": "/clients/roots.pem",
        "WEBHOOK_PORT": "1",
        "HEALTH_PORT": "65535",
    }
    found = settings(said, "host")
    assert found == Settings(
        "proa-webhook-canary-1",
        Revision("canary"),
        Trust.CERT_MANAGER,
        Path("/serving"),
        1,
        65535,
        Path("/configuration/mesh.yaml"),
        Path("/clients/roots.pem"),
    )
    assert found.name == "proa-webhook-canary"


def test_every_variable_at_fault_is_named_at_once() -> None:
    with pytest.raises(Refused) as refused:
        settings(
            {
                "POD_NAMESPACE": "mine",
                "PROA_REVISION": "default",
                "PROA_TRUST": "me",
                "WEBHOOK_PORT": "0",
                "HEALTH_PORT": "http",
            },
            "host",
        )
    assert [problem.field for problem in refused.value.problems] == [
        "POD_NAMESPACE",
        "PROA_REVISION",
        "PROA_TRUST",
        "WEBHOOK_PORT",
        "HEALTH_PORT",
    ]
    assert "allowed: proa or cert-manager" in str(refused.value)


@given(st.text(max_size=30))
def test_no_other_text_is_a_port(text: str) -> None:
    valid = text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535
    if not valid:
        with pytest.raises(Refused):
            settings({"WEBHOOK_PORT": text}, "host")
