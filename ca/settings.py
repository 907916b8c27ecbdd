"""What the process is told by its environment. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from proa.environment import port
from proa.errors import Invalid, Problems, shown
from proa.names import HEALTH_PORT, SYSTEM_NAMESPACE


@dataclass(frozen=True, slots=True)
class Pkcs11Module:
    """Where the issuer's key may lie: *path* is the library of a token's maker, *pin_file* holds the PIN."""

    path: str
    pin_file: str


@dataclass(frozen=True, slots=True)
class Settings:
    identity: str
    """Of this replica among the others: its pod's name."""
    health_port: int
    pkcs11: Pkcs11Module | None = None


def settings(environment: Mapping[str, str], host: str) -> Settings:
    """From POD_NAME (*host* without it), POD_NAMESPACE, HEALTH_PORT, PROA_PKCS11_MODULE and PROA_PKCS11_PIN_FILE.
    Raises Refused."""
    problems = Problems()
    namespace = environment.get("POD_NAMESPACE", SYSTEM_NAMESPACE)
    if namespace != SYSTEM_NAMESPACE:
        # The Secrets, the Lease and what other parts know of the authority are there and nowhere else.
        problems.add([Invalid("POD_NAMESPACE", shown(namespace), SYSTEM_NAMESPACE)])
    health_port = HEALTH_PORT
    with problems.collected():
        health_port = port(environment, "HEALTH_PORT", health_port)
    module, pin_file = (environment.get(f"PROA_PKCS11_{name}", "") for name in ("MODULE", "PIN_FILE"))
    if bool(module) != bool(pin_file):
        problems.add([Invalid("PROA_PKCS11_MODULE", "one of two", "with PROA_PKCS11_PIN_FILE, or neither")])
    problems.refuse("the environment")
    pkcs11 = Pkcs11Module(module, pin_file) if module else None
    return Settings(environment.get("POD_NAME") or host, health_port, pkcs11)
