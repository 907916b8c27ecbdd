"""What importing a module costs: every command of `proa` pays for what it imports."""

import subprocess
import sys

import pytest

SLOW = ("kubernetes", "aiohttp", "structlog", "prometheus_client", "yaml", "asyncio.subprocess")


@pytest.mark.parametrize("module", ["kube.client", "kube.calls", "kube.failures", "kube.resources"])
def test_commands_that_ask_no_cluster_do_not_pay_for_its_client(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert [each for each in SLOW if each in loaded] == []


def test_an_authority_whose_door_for_istios_clients_is_closed_does_not_pay_for_grpc() -> None:
    program = "import sys, ca.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "ca.istio.door" in loaded
    assert not {"grpc", "google.protobuf"} & set(loaded)
