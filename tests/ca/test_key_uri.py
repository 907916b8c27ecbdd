"""PKCS #11 URIs (RFC 7512): which key they name, and what is refused, without a word of what stands there."""

from urllib.parse import quote_from_bytes

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ca.key_uri import key_elsewhere
from proa.errors import Invalid

KEY = ec.generate_private_key(ec.SECP256R1()).public_key()


@given(token=st.text(min_size=1, max_size=32), identifier=st.binary(min_size=1, max_size=32))
def test_whatever_a_token_and_a_key_are_called_is_read_back(token: str, identifier: bytes) -> None:
    uri = f"pkcs11:token={quote_from_bytes(token.encode(), safe='')};id={quote_from_bytes(identifier, safe='')}"
    found = key_elsewhere(uri, KEY)
    assert (found.token, found.id, found.object, found.serial) == (token, identifier, None, None)
    assert (found.uri, found.public_key()) == (uri, KEY)


def test_a_token_may_be_named_by_its_serial_number_and_a_key_by_its_label() -> None:
    found = key_elsewhere("pkcs11:serial=dc01;object=proa%20issuer;type=private", KEY)
    assert (found.token, found.serial, found.object, found.id) == (None, b"dc01", "proa issuer", None)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "file:/key",
        "pkcs11:",
        "pkcs11:token=a",
        "pkcs11:object=a",
        "pkcs11:token=;object=a",
        "pkcs11:token=a;token=b;object=c",
        "pkcs11:token=a;object=c;type=public",
        "pkcs11:token=a;object=c;slot-id=1",
        "pkcs11:token=a;object=%ff",
        "pkcs11:token=a;object=b?pin-value=SECRET",
        "pkcs11:token=a;object=b?module-path=/tmp/SECRET.so",
        "pkcs11:token=a;object=%2",
        "pkcs11:token=a;object=" + "b" * 1024,
        "SECRET",
    ],
)
def test_what_names_no_key_or_says_how_to_reach_one_is_refused_and_not_shown(wrong: str) -> None:
    with pytest.raises(Invalid) as caught:
        key_elsewhere(wrong, KEY)
    assert "SECRET" not in str(caught.value)
