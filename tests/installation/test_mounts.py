"""What the patches mount is where the webhook is told that it is."""

from pathlib import Path
from typing import Any

import pytest

from installation.noted import plain
from installation.objects import objects
from installation.options import Options
from installation.render.mounts import MOUNTED, Mounted
from proa import names
from proa.overlay import overlay
from webhook.settings import Settings, settings

REVISIONS: tuple[Any, ...] = objects(Options())


def template(kind: str, name: str) -> Any:
    return next(each for each in REVISIONS if (each["kind"], each["metadata"]["name"]) == (kind, name))


def patched(mounted: Mounted) -> Any:
    """The pods of the webhook with the patch laid over them as Kubernetes does it."""
    of_pods: Any = plain(mounted.patch)
    return overlay(template("Deployment", names.WEBHOOK)["spec"]["template"], of_pods["spec"]["template"])


def told(pod: Any) -> Settings:
    (container,) = pod["spec"]["containers"]
    return settings({each["name"]: each["value"] for each in container["env"] if "value" in each}, "host")


@pytest.mark.parametrize("mounted", MOUNTED, ids=lambda each: each.name)
def test_the_webhook_is_told_of_a_file_that_is_mounted(mounted: Mounted) -> None:
    pod, before = patched(mounted), told(template("Deployment", names.WEBHOOK)["spec"]["template"])
    (container,) = pod["spec"]["containers"]
    found = told(pod)
    (file,) = {found.configuration, found.client_roots} - {before.configuration, before.client_roots}
    mounts = {each["name"]: Path(each["mountPath"]) for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
    assert mounts.keys() == volumes.keys()
    assert file == mounts[mounted.name] / mounted.key
    assert volumes[mounted.name]["configMap"] == {"name": mounted.config_map}


def test_the_configuration_file_is_that_of_the_installation() -> None:
    (mounted,) = [each for each in MOUNTED if each.config_map == names.CONFIGURATION_MAP]
    assert mounted.key in template("ConfigMap", names.CONFIGURATION_MAP)["data"]
