import traceback
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import Invalid
from support.roots import DAY, NOW, Root, pem_of
from webhook.credential import credential

ROOT = Root()
KEY = ec.generate_private_key(ec.SECP256R1())
CHAIN = ROOT.chain("web.svc", KEY)


@pytest.mark.parametrize(
    "key",
    [KEY, rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()],
    ids=["ec", "rsa", "ed25519"],
)
def test_a_key_and_its_chain_are_taken_in_any_order(key: ec.EllipticCurvePrivateKey) -> None:
    chain = ROOT.chain("web.svc", key) + ROOT.pem
    for pem in (pem_of(key) + chain, chain + pem_of(key)):
        found = credential(pem, NOW)
        assert found.pem == pem_of(key) + chain
        assert found.expires == NOW + DAY


def test_its_key_is_never_shown() -> None:
    assert "PRIVATE" not in repr(credential(pem_of(KEY) + CHAIN, NOW))


OTHER = ec.generate_private_key(ec.SECP256R1())
ENCRYPTED = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize(
    ("pem", "named"),
    [
        (b"", "certificate: found none that can be read"),
        (pem_of(KEY), "certificate: found none that can be read"),
        (CHAIN, "private key: found none that can be read"),
        (pem_of(OTHER) + CHAIN, "private key: found one of another certificate"),
        (ENCRYPTED + CHAIN, "private key: found none that can be read"),
        (pem_of(x25519.X25519PrivateKey.generate()) + CHAIN, "private key: found a X25519PrivateKey"),
        (pem_of(KEY) + CHAIN[:200], "certificate: found none that can be read"),
        (pem_of(KEY) + ROOT.pem + CHAIN, "private key: found one of another certificate"),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_part(pem: bytes, named: str) -> None:
    with pytest.raises(Invalid) as refused:
        credential(pem, NOW)
    assert str(refused.value).startswith(named)
    assert "BEGIN" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("seconds", "served"),
    [(-1, False), (0, True), (86400, True), (86401, False)],
    ids=["before", "first", "last", "after"],
)
def test_it_is_served_from_its_first_to_its_last_second(seconds: int, served: bool) -> None:
    pem = pem_of(KEY) + ROOT.chain("web.svc", KEY, NOW, NOW + DAY)
    now = NOW + timedelta(seconds=seconds)
    if served:
        assert credential(pem, now).expires == NOW + DAY
    else:
        with pytest.raises(Invalid, match="certificate: found one valid from"):
            credential(pem, now)


@given(st.binary(max_size=300), st.integers(0, len(CHAIN)))
def test_no_bytes_are_served_by_accident(noise: bytes, place: int) -> None:
    broken = pem_of(KEY) + CHAIN[:place] + noise
    try:
        found = credential(broken, NOW)
    except Invalid:
        return
    assert found.pem == pem_of(KEY) + CHAIN
