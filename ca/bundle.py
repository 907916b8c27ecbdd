"""A workload's credential as one text, the way the kubelet writes a podCertificate volume. Pure."""

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca.certificates import Chain, PrivateKey


def credential_bundle(key: PrivateKey, chain: Chain) -> str:
    """PEM: the private key (PKCS#8), the leaf, the intermediates; no root. Write it at mode 0600, never log it."""
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret.decode("ascii") + chain.pem
