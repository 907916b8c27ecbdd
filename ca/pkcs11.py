"""Signs with a key in a PKCS #11 token, which never leaves it: an HSM, a cloud's service by its module, SoftHSM. Shell.

The library (the extra `proa[pkcs11]`) is imported where a module is configured, and not before.
"""

import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ca.custody import KeyUnavailable
from ca.key_uri import KeyElsewhere
from ca.settings import Pkcs11Module
from ca.signature import digest
from proa.errors import Invalid

if TYPE_CHECKING:
    import pkcs11


class Pkcs11:
    """A `custody.Keeper`. Logs in when it is first needed, and once more where a token has forgotten its session."""

    def __init__(self, told: Pkcs11Module) -> None:
        """Raises Invalid where the library is not installed."""
        try:
            import pkcs11  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise Invalid("PROA_PKCS11_MODULE", "a module, but no library for it", "proa[pkcs11] installed") from error
        self._library, self._told, self._lock = pkcs11, told, threading.Lock()
        self._opened: dict[str, tuple[pkcs11.Session, Any]] = {}

    def __call__(self, key: KeyElsewhere, message: bytes) -> bytes:
        with self._lock:
            try:
                return self._signed(key, message)
            except self._library.PKCS11Error:
                self._forget(key)
            try:
                return self._signed(key, message)
            except self._library.PKCS11Error as error:
                self._forget(key)
                raise KeyUnavailable(key.uri, str(error) or type(error).__name__) from error

    def _signed(self, key: KeyElsewhere, message: bytes) -> bytes:
        if key.uri not in self._opened:
            self._opened[key.uri] = self._open(key)
        _, private = self._opened[key.uri]
        hashed_by, mechanisms = digest(key.key), self._library.Mechanism
        match key.key:
            case ec.EllipticCurvePublicKey():
                # Hashed here: tokens of an older PKCS #11 know no other mechanism.
                hashed = hashlib.new(hashed_by.name, message).digest()
                both: bytes = private.sign(hashed, mechanism=mechanisms.ECDSA)
                half = len(both) // 2
                return encode_dss_signature(int.from_bytes(both[:half], "big"), int.from_bytes(both[half:], "big"))
            case rsa.RSAPublicKey():
                made: bytes = private.sign(message, mechanism=mechanisms.SHA256_RSA_PKCS)
                return made
            case _:
                assert_never(key.key)

    def _open(self, key: KeyElsewhere) -> "tuple[pkcs11.Session, Any]":
        try:
            pin = Path(self._told.pin_file).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise KeyUnavailable(key.uri, f"the PIN in {self._told.pin_file} cannot be read") from error
        token = _only(self._library.lib(self._told.path).get_tokens(token_label=key.token, token_serial=key.serial))
        if token is None:
            raise KeyUnavailable(key.uri, f"not one token of {self._told.path} has its name")
        try:
            session = token.open(user_pin=pin)
        except self._library.UserAlreadyLoggedIn:
            # Of a token, a process is logged in as a whole (PKCS #11 §5.6): here for another key in it.
            session = token.open()
        kind = self._library.ObjectClass.PRIVATE_KEY
        try:
            return session, session.get_key(object_class=kind, label=key.object, id=key.id)
        except self._library.PKCS11Error:
            session.close()
            raise

    def _forget(self, key: KeyElsewhere) -> None:
        if opened := self._opened.pop(key.uri, None):
            try:
                opened[0].close()
            except self._library.PKCS11Error:
                return


def _only(found: Any) -> Any:
    match list(found):
        case [one]:
            return one
        case _:
            return None
