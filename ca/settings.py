"""What the process is told by its environment. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from proa.errors import Invalid, Problems, shown
from proa.names import HEALTH_PORT, SYSTEM_NAMESPACE

_PORTS: Final = range(1, 65536)


@dataclass(frozen=True, slots=True)
class Settings:
    identity: str
    """Of this replica among the others: its pod's name."""
    health_port: int


def settings(environment: Mapping[str, str], host: str) -> Settings:
    """From POD_NAME (*host* without it), POD_NAMESPACE and HEALTH_PORT. Raises Refused."""
    problems = Problems()
    namespace = environment.get("POD_NAMESPACE", SYSTEM_NAMESPACE)
    if namespace != SYSTEM_NAMESPACE:
        # The Secrets, the Lease and what other parts know of the authority are there and nowhere else.
        problems.add([Invalid("POD_NAMESPACE", shown(namespace), SYSTEM_NAMESPACE)])
    port = environment.get("HEALTH_PORT", str(HEALTH_PORT))
    if not (port.isascii() and port.isdecimal()) or int(port[:9]) not in _PORTS:
        problems.add([Invalid("HEALTH_PORT", shown(port), "a port from 1 to 65535")])
    problems.refuse("the environment")
    return Settings(environment.get("POD_NAME") or host, int(port))
