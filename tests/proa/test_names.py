import re
import subprocess
import sys
from datetime import timedelta

import pytest

from proa import names
from proa.clock import system_clock

PORTS = (
    names.OUTBOUND_PORT,
    names.INBOUND_PORT,
    names.ADMIN_PORT,
    names.READY_PORT,
    names.METRICS_PORT,
    names.WEBHOOK_PORT,
)


def test_the_names_cost_no_import() -> None:
    """proa-init reads them in every pod's start; typing alone takes 20 ms."""
    program = "import sys, proa.names; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-IS", "-c", f"import sys; sys.path.insert(0, '.'); {program}"],
                            capture_output=True, text=True, check=True).stdout.split()  # fmt: skip
    assert "proa.names" in loaded
    assert not {"typing", "re", "enum", "dataclasses", "collections"} & set(loaded)


@pytest.mark.parametrize("key", [names.INJECT, names.STATUS, names.BOOTSTRAP, names.LEAF, names.ROOTS, names.SIGNER])
def test_keys_are_qualified_names_of_kubernetes(key: str) -> None:
    assert re.fullmatch(r"proa\.dev/[a-z]([a-z-]{0,61}[a-z])?", key)


@pytest.mark.parametrize(
    "name",
    [
        names.INIT_CONTAINER,
        names.PROXY_CONTAINER,
        names.IDENTITY_VOLUME,
        names.BOOTSTRAP_VOLUME,
        names.DISCOVERY_VOLUME,
    ],
)
def test_containers_and_volumes_have_dns_labels_of_our_own(name: str) -> None:
    assert re.fullmatch(r"proa-[a-z]{1,50}", name)


def test_no_two_ports_are_the_same() -> None:
    assert len(set(PORTS)) == len(PORTS)


def test_the_systems_clock_is_aware_and_in_utc() -> None:
    assert system_clock().utcoffset() == timedelta(0)
