"""How many certificates a second one core issues: the whole pure path for one P-256 request after another.

`per_second`: parse and verify the request, build, sign, inspect, print the chain as PEM. The second figure leaves
the inspection out, to show its price. The third is the ceiling: the library's bare sign and verify, once each; where
machines differ, what a figure is of it says more than itself. The best of several rounds counts, in processor time, so
that other load on the machine does not.
"""

import json
import time
from collections.abc import Callable
from itertools import cycle
from ssl import DER_cert_to_PEM_cert

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from machine import facts

from ca.authority import CertificateAuthority, self_signed_authority
from ca.certificates import encoded_key
from ca.csr import checked_public_key, stub_request
from ca.leaf import LeafForm, certificate, leaf_form, leaf_tbs
from ca.profile import WorkloadLeaf, leaf_validity
from ca.randomness import new_key
from ca.signature import sign
from proa.clock import system_clock
from proa.identity import TrustDomain, WorkloadIdentity

REQUESTS = 64
MESSAGE = b"p" * 400  # about a certificate's length
ALGORITHM = ec.ECDSA(SHA256())
ROUNDS = 9
CALLS_A_ROUND = 400


def issued(authority: CertificateAuthority, csr: bytes, contents: WorkloadLeaf) -> str:
    return authority.sign(csr, contents).pem


def issued_uninspected(authority: CertificateAuthority, form: LeafForm, csr: bytes, contents: WorkloadLeaf) -> str:
    """`CertificateAuthority.sign` without its call of `inspected`."""
    key = encoded_key(checked_public_key(csr))
    validity = leaf_validity(authority.clock(), authority.lifetime, authority.issuer.issuing.validity)
    tbs = leaf_tbs(form, contents, key, validity, authority.serials())
    made = certificate(form, tbs, sign(authority.issuer.key, tbs))
    return DER_cert_to_PEM_cert(made)


def signed_and_verified(key: ec.EllipticCurvePrivateKey, public_key: ec.EllipticCurvePublicKey) -> None:
    public_key.verify(key.sign(MESSAGE, ALGORITHM), MESSAGE, ALGORITHM)


def bare() -> float:
    """The library's own, a second, on a key that it has."""
    key = new_key()
    public_key = key.public_key()
    return rate(lambda: signed_and_verified(key, public_key))


def rate(call: Callable[[], object]) -> float:
    """Calls for each second of processor time, in the best round."""
    best = 0.0
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(CALLS_A_ROUND):
            call()
        best = max(best, CALLS_A_ROUND / (time.process_time() - start))
    return best


def main() -> None:
    domain = TrustDomain("cluster.local")
    authority = self_signed_authority(domain, system_clock)
    requests = cycle([stub_request(new_key()) for _ in range(REQUESTS)])
    contents = WorkloadLeaf(WorkloadIdentity(domain, "shop", "web"))
    form = leaf_form(authority.issuer.issuing)
    whole = rate(lambda: issued(authority, next(requests), contents))
    uninspected = rate(lambda: issued_uninspected(authority, form, next(requests), contents))
    figures = {
        "per_second": round(whole),
        "without_inspection_per_second": round(uninspected),
        "bare_sign_and_verify_per_second": round(bare()),
        "inspection_microseconds": round(1e6 / whole - 1e6 / uninspected, 1),
    }
    print(json.dumps({"benchmark": "signing", **figures, **facts()}))


if __name__ == "__main__":
    main()
