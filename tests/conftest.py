"""What every test relies on: whether the machine can run it, and how hard properties are tried."""

import os
import shutil

import pytest
from hypothesis import settings

NEEDED = ("ip", "nft", "nsenter", "setpriv", "sysctl", "unshare")

settings.register_profile("ci", max_examples=300, deadline=None)
settings.register_profile("dev", max_examples=50, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """The one place that decides whether a test of the real kernel can run; under CI it must."""
    if item.get_closest_marker("netns") is None:
        return
    lacking = [name for name in NEEDED if not shutil.which(name)]
    if os.geteuid() == 0 and not lacking:
        return
    reason = f"network namespaces need root and {', '.join(NEEDED)}; lacking: {', '.join(lacking) or 'root'}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
