"""What an audit line says of a certificate that was issued. Pure. Nothing here is secret."""

import hashlib

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.certificates import Chain, IssuingCertificate
from ca.verdict import Sign


def facts(chain: Chain, sign: Sign, issuer: IssuingCertificate) -> dict[str, str]:
    """What tells this certificate from all others: enough to find it again, or to revoke it."""
    public = sign.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "names": str(sign.contents),
        "serial": f"{chain.serial:x}",
        "not_after": f"{chain.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "issuer_key": issuer.key_identifier.hex(),
        "public_key_sha256": hashlib.sha256(public).hexdigest(),
    }
