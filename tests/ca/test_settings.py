"""What the process is told, and what it does not take."""

import pytest

from ca.settings import Pkcs11Module, Settings, settings
from proa.errors import Refused


def test_an_empty_environment_is_a_process_on_a_host() -> None:
    assert settings({}, "host") == Settings("host", 8080)


def test_a_pod_is_known_by_its_name() -> None:
    told = {"POD_NAME": "proa-ca-1", "POD_NAMESPACE": "proa-system", "HEALTH_PORT": "18080"}
    assert settings(told, "host") == Settings("proa-ca-1", 18080)


def test_a_token_is_reached_by_a_module_and_a_pin_and_not_by_one_of_them() -> None:
    told = {"PROA_PKCS11_MODULE": "/lib/token.so", "PROA_PKCS11_PIN_FILE": "/run/pin"}
    assert settings(told, "host").pkcs11 == Pkcs11Module("/lib/token.so", "/run/pin")
    for name, value in told.items():
        with pytest.raises(Refused, match="or neither"):
            settings({name: value}, "host")


@pytest.mark.parametrize("port", ["", "http", "0", "65536", "-1", "8" * 5000, "٣"])
def test_what_cannot_be_used_is_refused_all_at_once(port: str) -> None:
    with pytest.raises(Refused) as caught:
        settings({"POD_NAMESPACE": "default", "HEALTH_PORT": port}, "host")
    assert [problem.field for problem in caught.value.problems] == ["POD_NAMESPACE", "HEALTH_PORT"]
