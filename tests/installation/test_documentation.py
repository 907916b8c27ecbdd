from installation.documentation import settings
from proa.mesh import MeshConfiguration, mesh_configuration


def test_the_settings_without_their_comment_signs_are_the_defaults() -> None:
    lines = settings().splitlines()
    assert all(line.startswith("# ") for line in lines)
    assert mesh_configuration("\n".join(line.removeprefix("# ") for line in lines)) == MeshConfiguration()


def test_the_settings_as_they_are_say_nothing() -> None:
    assert mesh_configuration(settings()) == MeshConfiguration()


def test_a_setting_says_what_may_stand_there() -> None:
    assert "# peerTls: permissive  # permissive | strict\n" in settings()
    assert "#   lifetimeSeconds: 86400  # 3600 to 7862400\n" in settings()
    assert "#   kind: none  # none | files" in settings()
