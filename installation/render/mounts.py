"""What an admin may mount into the webhook, as patches for kustomize and for `kubectl patch` alike. Pure.

They are no options of an installation: what is mounted is the admin's own, and stays where `proa upgrade` comes.
"""

from dataclasses import dataclass
from typing import Final

from installation.noted import Fields
from proa import names
from webhook.settings import CLIENT_CA, CONFIGURATION_FILE


@dataclass(frozen=True, slots=True)
class Mounted:
    """A *key* of a ConfigMap, of which the webhook is told by a *variable* where it finds it."""

    name: str
    config_map: str
    key: str
    variable: str
    words: str

    @property
    def patch(self) -> Fields:
        """A strategic merge patch of the default revision's Deployment."""
        directory = f"/etc/proa/{self.name}"
        container: Fields = {
            "name": names.WEBHOOK,
            "env": [{"name": self.variable, "value": f"{directory}/{self.key}"}],
            "volumeMounts": [{"name": self.name, "mountPath": directory, "readOnly": True}],
        }
        volume: Fields = {"name": self.name, "configMap": {"name": self.config_map}}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": names.WEBHOOK},
            "spec": {"template": {"spec": {"containers": [container], "volumes": [volume]}}},
        }


MOUNTED: Final = (
    Mounted(
        "client-roots",
        f"{names.WEBHOOK}-client-roots",
        "roots.pem",
        CLIENT_CA,
        "Nobody but who shows a certificate of these roots may ask the webhook. Read docs/webhook-server.md first: the"
        " API server has to be given one.",
    ),
    Mounted(
        "configuration-file",
        names.CONFIGURATION_MAP,
        names.CONFIGURATION_KEY,
        CONFIGURATION_FILE,
        "The webhook reads its configuration from a mounted ConfigMap instead of the API server; read"
        " docs/webhook-server.md.",
    ),
)
