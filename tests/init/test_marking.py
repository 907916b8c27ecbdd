"""Whether a node's kernel is too old for what TPROXY takes, and what is said where it is."""

import pytest

from init.marking import warning
from proa.capture.choices import Tproxied
from proa.capture.interception import Interception

KEPT = Interception(inbound_mode=Tproxied())


@pytest.mark.parametrize("release", ["5.15.0-91-generic\n", "5.16\n", "4.18.0-553.el8\n", "5.4-rc1\n"])
def test_an_older_kernel_is_told_of_with_the_remedy(release: str) -> None:
    said = warning(KEPT, release)
    assert said.startswith(f"this node's Linux is {release.strip()}: ")
    assert "inbound-mode=redirect" in said


@pytest.mark.parametrize("release", ["5.17.0\n", "5.100\n", "6.1.0-18-amd64\n", "10.0\n", "", "linux\n", "5\n"])
def test_a_newer_one_and_one_that_does_not_tell_are_not_spoken_of(release: str) -> None:
    assert warning(KEPT, release) == ""


def test_who_redirects_needs_no_mark() -> None:
    assert warning(Interception(), "3.10\n") == ""
