"""What a client of the tests presents itself by."""

import ssl
import tempfile
from dataclasses import dataclass

from proa import names


@dataclass(frozen=True)
class Credential:
    """How a client presents itself."""

    files: dict[str, bytes]
    shown: bool = True
    alpn: tuple[str, ...] = (names.MESH_ALPN,)
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.maximum_version = self.newest
        context.load_verify_locations(cadata=self.files[names.TRUST_BUNDLE].decode())
        if self.alpn:
            context.set_alpn_protocols(list(self.alpn))
        if self.shown:
            with tempfile.NamedTemporaryFile() as file:
                file.write(self.files[names.CREDENTIAL_BUNDLE])
                file.flush()
                context.load_cert_chain(file.name)
        return context
