"""What the tests of Envoy's configuration share."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def accepted() -> Callable[..., str]:
    """What Envoy complains of in a bootstrap file, with more arguments if there are any; nothing if it takes it."""

    def complaint(envoy: Path, bootstrap_file: Path, *more: str) -> str:
        mode = (str(envoy), "--mode", "validate", "-l", "error", "--concurrency", "1")
        identity = ("--service-node", "web.shop", "--service-cluster", "web.shop")
        command = (*mode, "-c", str(bootstrap_file), *identity, *more)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return "" if done.returncode == 0 and not done.stderr else done.stderr or f"status {done.returncode}"

    return complaint
