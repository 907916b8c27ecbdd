"""What a webhook's process is told by its environment. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proa import names
from proa.environment import port
from proa.errors import Invalid, Problems, shown
from webhook.registration import Revision, Trust

REVISION: Final = "PROA_REVISION"
TRUST: Final = "PROA_TRUST"
_SERVING: Final = "PROA_SERVING_DIRECTORY"
CONFIGURATION_FILE: Final = "PROA_CONFIGURATION_FILE"
CLIENT_CA: Final = "PROA_CLIENT_CA"


@dataclass(frozen=True, slots=True)
class Settings:
    """*identity* is this replica's among the others: its pod's name. *serving* holds the files of its certificate.

    *configuration* is the file of the mesh configuration, None for the ConfigMap. *client_roots* is the file of the
    roots that must have issued its clients' certificates, None where clients need show none.
    """

    identity: str
    revision: Revision
    trust: Trust
    serving: Path
    port: int
    health_port: int
    configuration: Path | None = None
    client_roots: Path | None = None

    @property
    def name(self) -> str:
        """Of the registration, the Service and the Lease."""
        return self.revision.named(names.WEBHOOK)


def settings(environment: Mapping[str, str], host: str) -> Settings:
    """From POD_NAME (*host* without it), POD_NAMESPACE, PROA_REVISION, PROA_TRUST, PROA_SERVING_DIRECTORY,
    PROA_CONFIGURATION_FILE, PROA_CLIENT_CA, WEBHOOK_PORT and HEALTH_PORT. Raises Refused with each that is unusable.
    """
    problems = Problems()
    revision, trust, webhook_port, health_port = Revision(), Trust.PROA, names.WEBHOOK_PORT, names.HEALTH_PORT
    with problems.collected():
        _check_namespace(environment.get("POD_NAMESPACE", names.SYSTEM_NAMESPACE))
    with problems.collected():
        revision = _revision(environment.get(REVISION, ""))
    with problems.collected():
        trust = _trust(environment.get(TRUST, Trust.PROA))
    with problems.collected():
        webhook_port = port(environment, "WEBHOOK_PORT", webhook_port)
    with problems.collected():
        health_port = port(environment, "HEALTH_PORT", health_port)
    problems.refuse("the environment")
    serving = Path(environment.get(_SERVING) or names.SERVING_DIRECTORY)
    identity = environment.get("POD_NAME") or host
    files = (_file(environment, CONFIGURATION_FILE), _file(environment, CLIENT_CA))
    return Settings(identity, revision, trust, serving, webhook_port, health_port, *files)


def _file(environment: Mapping[str, str], variable: str) -> Path | None:
    return Path(said) if (said := environment.get(variable)) else None


def _check_namespace(namespace: str) -> None:
    if namespace != names.SYSTEM_NAMESPACE:
        # The registration names a Service there, and the authority certifies no server of another namespace.
        raise Invalid("POD_NAMESPACE", shown(namespace), names.SYSTEM_NAMESPACE)


def _revision(value: str) -> Revision:
    try:
        return Revision(value)
    except Invalid as problem:
        raise Invalid(REVISION, problem.found, problem.allowed) from problem


def _trust(value: str) -> Trust:
    try:
        return Trust(value)
    except ValueError as error:
        raise Invalid(TRUST, shown(value), " or ".join(Trust)) from error
