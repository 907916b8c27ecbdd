"""What `proa render` prints is what an installation would apply."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from installation.objects import objects
from installation.options import Options, Profile, Scope
from proa.documents import plain, read
from webhook.registration import Trust

MESH = "injection: {policy: enabled, never: {pods: {matchLabels: {app: legacy}}}}\n"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), Options()),
        (("--profile=ha", "--certificates=cert-manager"), Options(profile=Profile.HA, trust=Trust.CERT_MANAGER)),
        (("--revision=canary", "--scope=revision"), Options(revision="canary", scope=Scope.REVISION)),
        (("--revision=default", "--scope=shared"), Options(scope=Scope.SHARED)),
    ],
)
def test_the_objects_are_those_of_the_options(arguments: tuple[str, ...], options: Options) -> None:
    printed = CliRunner().invoke(main, ["render", *arguments])
    assert printed.exit_code == 0
    assert tuple(map(plain, read(printed.stdout))) == objects(options)


def test_the_registration_is_made_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(MESH, encoding="utf-8")
    printed = CliRunner().invoke(main, ["render", "--set-config", str(file)])
    mesh = {"injection": {"policy": "enabled", "never": {"pods": {"matchLabels": {"app": "legacy"}}}}}
    assert tuple(map(plain, read(printed.stdout))) == objects(Options(mesh=mesh))


def test_what_cannot_be_rendered_is_refused_and_nothing_printed() -> None:
    for wrong in (("--revision=Canary",), ("--replicas=21",), ("--image=no image",)):
        refused = CliRunner().invoke(main, ["render", *wrong])
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "found" in refused.stderr
