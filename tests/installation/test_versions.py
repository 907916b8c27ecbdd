"""What says which version an installation is of: the distribution's own metadata, and nothing beside it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.versions import environment_of

PRINTED = "import json; from installation.objects import objects; from installation.options import Options; "
PRINTED += "print(json.dumps(objects(Options())))"


def objects_of(version: str, directory: Path) -> list[Any]:
    """The default installation, as the command of *version* makes it."""
    command = [sys.executable, "-c", PRINTED]
    environment = {**os.environ, **environment_of(version, directory)}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return list(json.loads(done.stdout))


def test_an_installation_is_of_its_commands_version_in_every_place_that_says_one(tmp_path: Path) -> None:
    found = objects_of("7.8.9", tmp_path)
    assert {each["metadata"]["labels"]["app.kubernetes.io/version"] for each in found} == {"7.8.9"}
    specs = [each["spec"]["template"]["spec"] for each in found if each["kind"] == "Deployment"]
    assert {container["image"] for spec in specs for container in spec["containers"]} == {"proa:7.8.9"}
    (configuration,) = [each for each in found if each["kind"] == "ConfigMap"]
    assert configuration["data"]["mesh.yaml"].endswith("\ninit:\n  image: proa:7.8.9\n")
