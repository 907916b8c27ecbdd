"""Vault's own PKI engine and Kubernetes auth method, as a process (tests/cluster/vault), and tokens that it takes."""

import json
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ca.authority import self_signed_authority
from ca.csr import stub_request
from ca.profile import ServingLeaf
from launcher import builds
from proa.identity import TrustDomain
from proa.upstreams import VaultPki

HOST: Final = "localhost"
_SECONDS: Final = 30
_ROLE: Final = {
    "bound_service_account_names": ["proa-ca"],
    "bound_service_account_namespaces": ["proa-system"],
    "audience": "vault",
    "token_policies": ["proa-issuer"],
    "token_ttl": "5m",
}


@dataclass(frozen=True)
class Vault:
    """*directory* is what a pod of the authority has of it: its CA, and the token of a ServiceAccount."""

    server: str
    directory: Path
    account_key: ec.EllipticCurvePrivateKey = field(repr=False)

    def upstream(self, **members: Any) -> VaultPki:
        return VaultPki(server=self.server, **members)

    def write(self, path: str, namespace: str = "", **data: Any) -> Any:
        """As `vault write` by its operator; what stands in `data` of the answer."""
        tls = ssl.create_default_context(cafile=str(self.directory / "ca.crt"))
        headers = {"X-Vault-Token": "root", "X-Vault-Namespace": namespace}
        request = urllib.request.Request(  # noqa: S310 - https, and this machine
            f"{self.server}/v1/{path}", json.dumps(data).encode(), headers, method="PUT"
        )
        with urllib.request.urlopen(request, timeout=_SECONDS, context=tls) as answer:  # noqa: S310
            body = answer.read()
        return json.loads(body)["data"] if body else None

    def root(self, mount: str = "pki", namespace: str = "", **members: Any) -> Any:
        """A new root as the mount's default issuer: `issuer_id`, `certificate`."""
        asked = {"common_name": "The company's root", "ttl": "87600h", "key_type": "ec", **members}
        made = self.write(f"{mount}/root/generate/internal", namespace, **asked)
        self.write(f"{mount}/config/issuers", namespace, default=made["issuer_id"])
        return made

    def opens(self, namespace: str = "", **members: Any) -> None:
        """The auth method for this cluster, with the role that the documentation makes; *members* of it differ."""
        public = self.account_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.write(
            "auth/kubernetes/config",
            namespace,
            kubernetes_host=self.server,
            kubernetes_ca_cert=(self.directory / "ca.crt").read_text(),
            pem_keys=[public.decode()],
            disable_local_ca_jwt=True,
        )
        self.write("auth/kubernetes/role/proa-ca", namespace, **{**_ROLE, **members})

    def logs_in_as(self, account: str = "proa-ca", audience: str = "vault", key: Any = None, age: int = 0) -> str:
        """The kubelet writes that account's token, *age* seconds old; what it wrote."""
        now = datetime.now(UTC) - timedelta(seconds=age)
        claims = {
            "iss": "https://kubernetes.default.svc",
            "sub": f"system:serviceaccount:proa-system:{account}",
            "aud": [audience],
            "iat": now,
            "exp": now + timedelta(seconds=600),
            "kubernetes.io": {"namespace": "proa-system", "serviceaccount": {"name": account, "uid": f"uid-{account}"}},
        }
        token = jwt.encode(claims, key or self.account_key, algorithm="ES256")
        (self.directory / "token").write_text(token)
        return token

    @property
    def tokens(self) -> int:
        """How many that it gave are alive."""
        return int(self.write("proa-test/tokens")["alive"])


@contextmanager
def running(directory: Path) -> Iterator[Vault]:
    """A new one, with nothing in it but what `opens` and `root` of both namespaces put there."""
    certificate, key = serving(directory)
    with (
        (directory / "log").open("w") as log,
        subprocess.Popen(
            [builds.built(builds.VAULT), certificate, key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            assert port, (directory / "log").read_text()
            found = Vault(f"https://{HOST}:{port}", directory, ec.generate_private_key(ec.SECP256R1()))
            found.opens()
            found.logs_in_as()
            yield found
        finally:
            process.kill()


def serving(directory: Path) -> tuple[Path, Path]:
    """The certificate and the key, as files, of a server at HOST; beside them the CA's certificate."""
    authority = self_signed_authority(TrustDomain("vault.test"), lambda: datetime.now(UTC))
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = directory / "tls.crt"
    certificate.write_text(authority.sign(stub_request(key), ServingLeaf((HOST,))).pem)
    (directory / "ca.crt").write_text(authority.trust_bundle)
    file = directory / "tls.key"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, file
