"""What more than one of Proa's processes is told by its environment. Pure."""

from collections.abc import Mapping
from typing import Final

from proa.errors import Invalid, shown

_PORTS: Final = range(1, 65536)


def port(environment: Mapping[str, str], variable: str, default: int) -> int:
    """The port in *variable*. Raises Invalid for anything else."""
    value = environment.get(variable, str(default))
    if not (value.isascii() and value.isdecimal()) or int(value[:9]) not in _PORTS:
        raise Invalid(variable, shown(value), "a port from 1 to 65535")
    return int(value)
