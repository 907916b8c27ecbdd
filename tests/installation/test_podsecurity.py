import re

import pytest

from installation.objects import objects
from installation.options import Options, PodSecurity
from support.installations import of_kind


@pytest.mark.parametrize(
    ("image", "taken", "left"),
    [
        (
            "b:2",
            ["b", "b:2", "b:3.0-rc_1", "b:2@sha256:" + "0" * 64],
            ["a:1", "bb:2", "b:2/c", "b:5000/c:2", "x/b:2", "b:"],
        ),
        (
            "e.org:5000/b@sha256:0",
            ["e.org:5000/b:2", "e.org:5000/b@sha256:1"],
            ["eXorg:5000/b:2", "e.org:5000:2", "b:2"],
        ),
    ],
)
def test_the_policy_that_keeps_the_baseline_excepts_every_version_of_the_image_that_pods_are_given(
    image: str, taken: list[str], left: list[str]
) -> None:
    options = Options(image="a:1", pod_security=PodSecurity.BASELINE, mesh={"init": {"image": image}})
    (policy,) = of_kind(objects(options), "ValidatingAdmissionPolicy")
    (installers,) = [each["expression"] for each in policy["spec"]["variables"] if each["name"] == "installers"]
    (pattern,) = re.findall(r"c\.image\.matches\('(.*?)'\)", installers)
    # As Go's RE2 reads it: what is used of it means the same to Python, but that `$` takes a last newline there.
    assert [each for each in (*taken, *left) if re.search(pattern, each)] == taken
