"""A key that others keep, by its PKCS #11 URI (RFC 7512): read, checked, and nothing more. Pure.

How to reach it, by which module and PIN, is what the process is told (`settings`): a Secret that names them could have
the authority load any library.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from ca.certificates import PublicKey
from proa.errors import Invalid

LONGEST: Final = 1024
SCHEME: Final = "pkcs11:"
_ALLOWED: Final = "a PKCS #11 URI of token or serial, and object or id (RFC 7512), and nothing of how to reach it"
_VALUE: Final = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=&]|%[0-9A-Fa-f]{2})+")
_TYPE: Final = b"private"


@dataclass(frozen=True, slots=True)
class KeyElsewhere:
    """The private half of *key*, which lies in a token. Those of its names that are not given are None."""

    uri: str
    key: PublicKey
    token: str | None
    serial: bytes | None
    object: str | None
    id: bytes | None

    def public_key(self) -> PublicKey:
        return self.key


def key_elsewhere(uri: str, key: PublicKey) -> KeyElsewhere:
    """The key that *uri* names, the private half of *key*: whether it is, its first signature shows. Raises Invalid."""
    found = _attributes(uri)
    if not (found.keys() & {"token", "serial"} and found.keys() & {"object", "id"}):
        raise Invalid("the key's URI", "one that names no token, or no key", _ALLOWED)
    if found.pop("type", _TYPE) != _TYPE:
        raise Invalid("the key's URI", "another type", "type=private, or none")
    try:
        token, label = (found[name].decode() if name in found else None for name in ("token", "object"))
    except UnicodeDecodeError as error:
        raise Invalid("the key's URI", "a name that is no UTF-8", _ALLOWED) from error
    return KeyElsewhere(uri, key, token, found.get("serial"), label, found.get("id"))


def _attributes(uri: str) -> dict[str, bytes]:
    # Not shown where it is none: somebody may have written a PIN into it.
    if len(uri) > LONGEST or not uri.startswith(SCHEME):
        raise Invalid("the key's URI", f"{len(uri)} characters that are none", _ALLOWED)
    found: dict[str, bytes] = {}
    for part in uri.removeprefix(SCHEME).split(";"):
        name, _, value = part.partition("=")
        if name not in {"token", "serial", "object", "id", "type"} or not _VALUE.fullmatch(value):
            raise Invalid("the key's URI", "an attribute that is not read here", _ALLOWED)
        if name in found:
            raise Invalid("the key's URI", f"{name} twice", "each once")
        found[name] = unquote_to_bytes(value)
    return found
