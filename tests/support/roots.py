"""Roots and the certificates of servers, for tests of what verifies them. OpenSSL's words, none of Proa's authority."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


def pem_of(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Root:
    """A root that signs servers' certificates, valid for the day before and after the tests began."""

    name: str = "root"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @cached_property
    def pem(self) -> bytes:
        return self._signed(self.name, self.key, NOW - DAY, NOW + DAY, None)

    def chain(
        self, dns_name: str, key: PrivateKeyTypes, begins: datetime = NOW - DAY, ends: datetime = NOW + DAY
    ) -> bytes:
        return self._signed(dns_name, key, begins, ends, dns_name)

    def bundle(self, dns_name: str, begins: datetime = NOW - DAY, ends: datetime = NOW + DAY) -> bytes:
        """A new key and its certificate, in one file, as the kubelet writes them."""
        key = ec.generate_private_key(ec.SECP256R1())
        return pem_of(key) + self.chain(dns_name, key, begins, ends)

    def _signed(self, name: str, key: PrivateKeyTypes, begins: datetime, ends: datetime, dns_name: str | None) -> bytes:
        builder = (
            x509.CertificateBuilder(_name(self.name), _name(name), key.public_key())  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=dns_name is None, path_length=None), critical=True)
        )
        if dns_name is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns_name)]), critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


class Volume:
    """A directory as the kubelet keeps it: files are links into `..data`, itself a link that is swapped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._moment = 0

    def write(self, **files: bytes) -> None:
        """Replace all of it at once. `_` in a name stands for `-`, `__` for `.`."""
        self._moment += 1
        moment = self.path / f"..{self._moment}"
        moment.mkdir(parents=True)
        for name, content in files.items():
            written = name.replace("__", ".").replace("_", "-")
            (moment / written).write_bytes(content)
            link = self.path / written
            if not link.is_symlink():
                link.symlink_to(f"..data/{written}")
        swapped = self.path / "..data_tmp"
        swapped.symlink_to(moment.name)
        swapped.replace(self.path / "..data")
