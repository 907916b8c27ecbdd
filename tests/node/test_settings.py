"""The environment of the agent."""

import pytest

from node.settings import settings
from proa.errors import Refused


def test_a_node_needs_but_its_name() -> None:
    found = settings({"NODE_NAME": "n"})
    assert found.entry.document() == {
        "type": "proa-cni",
        "socket": "/run/proa-node/cni.sock",
        "excludedNamespaces": ["kube-system", "proa-system", "proa-node"],
    }
    assert (found.health_port, found.unrepairable) == (15095, "report")
    assert str(found.places.configurations) == "/etc/cni/net.d"


def test_everything_wrong_is_told_at_once() -> None:
    wrong = {"HEALTH_PORT": "0", "UNREPAIRABLE": "burn", "SOCKET": "run/x", "CNI_BIN_DIR": "/" + "x" * 100}
    wrong["EXCLUDED_NAMESPACES"] = 'a,b"c'
    with pytest.raises(Refused) as refused:
        settings(wrong)
    assert {each.field for each in refused.value.problems} == {"NODE_NAME", *wrong}


def test_the_workload_api_is_closed_unless_its_socket_is_told() -> None:
    assert settings({"NODE_NAME": "n"}).workload is None
    found = settings({"NODE_NAME": "n", "WORKLOAD_SOCKET": "/run/proa-workload/workload.sock"}).workload
    assert found is not None
    assert (found.authority, found.trust_domain.name) == ("proa-ca.proa-system.svc:15012", "cluster.local")
    wrong = {"WORKLOAD_SOCKET": "x", "TOKEN_FILE": "y", "TRUST_DOMAIN": "Not One"}
    with pytest.raises(Refused) as refused:
        settings({"NODE_NAME": "n", **wrong})
    assert {each.field.split(".")[0] for each in refused.value.problems} == set(wrong)


def test_the_runtime_is_asked_by_nri_where_its_socket_is_told() -> None:
    assert settings({"NODE_NAME": "n"}).nri is None
    assert str(settings({"NODE_NAME": "n", "NRI_SOCKET": "/var/run/nri/nri.sock"}).nri) == "/var/run/nri/nri.sock"
    with pytest.raises(Refused) as refused:
        settings({"NODE_NAME": "n", "NRI_SOCKET": "nri.sock"})
    assert [each.field for each in refused.value.problems] == ["NRI_SOCKET"]
