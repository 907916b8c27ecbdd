"""A CRL is what RFC 5280 wants, OpenSSL goes by it, and it is signed anew when it is due and at no other time."""

import json
import subprocess
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ca.authority import CertificateAuthority, new_intermediate, new_root
from ca.certificates import pem
from ca.csr import stub_request
from ca.custody import KeyUnavailable
from ca.key_uri import KeyElsewhere, key_elsewhere
from ca.material import Issuer
from ca.profile import WorkloadLeaf
from ca.randomness import new_key
from ca.revocation.choice import is_serial, of_leaf, of_serial
from ca.revocation.crl import (
    Revoked,
    crl_due,
    crl_lifetime,
    crls_of,
    crls_pem,
    number,
    remembered,
    renewal_at,
    signed_by,
    signed_crl,
)
from ca.revocation.overview import standing_of
from ca.revocation.register import Held, Register, register_of, register_secret
from ca.signature import sign
from proa.clock import system_clock
from proa.errors import Invalid
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import IssuerKey

NOW = datetime(2026, 3, 1, 12, 0, 0, 700_000, tzinfo=UTC)
WEEK = timedelta(days=7)
DAY = timedelta(days=1)
DOMAIN = TrustDomain("cluster.local")
ROOT = new_root(DOMAIN, NOW)
ISSUER, OTHER = (new_intermediate(DOMAIN, ROOT, NOW) for _ in range(2))
OWN = ISSUER.issuing.key_identifier.hex()
REVOKED = st.builds(
    Revoked,
    st.integers(1, 2**159 - 1),
    st.timedeltas(timedelta(0), timedelta(days=30)).map(lambda ago: NOW - ago),
    st.timedeltas(timedelta(days=-9), timedelta(days=90)).map(lambda later: NOW + later),
    st.sampled_from(["", OWN, OTHER.issuing.key_identifier.hex()]),
)
LISTS = st.lists(REVOKED, max_size=6, unique_by=lambda each: each.serial)


def test_a_token_that_signs_with_another_key_or_something_else_signs_no_crl() -> None:
    issuing, here = ISSUER.issuing, ISSUER.key
    assert not isinstance(here, KeyElsewhere)
    elsewhere = Issuer(issuing, key_elsewhere("pkcs11:token=a;object=b", issuing.public_key), ISSUER.above)
    other = new_key()
    assert signed_by(signed_crl(elsewhere, (), 0, NOW, WEEK, lambda _, message: sign(here, message)), issuing)
    for wrong in (
        lambda _, message: sign(other, message),
        lambda _, message: sign(here, message + b"."),
        lambda *_: b"",
    ):
        with pytest.raises(KeyUnavailable, match="not the issuer's signature"):
            signed_crl(elsewhere, (), 0, NOW, WEEK, wrong)


@given(LISTS)
def test_it_lists_its_issuers_own_and_those_of_whom_nobody_said(revoked: list[Revoked]) -> None:
    crl = signed_crl(ISSUER, revoked, 0, NOW, WEEK)
    assert {each.serial_number for each in crl} == {each.serial for each in revoked if each.issuer in ("", OWN)}
    assert signed_by(crl, ISSUER.issuing)
    assert not signed_by(crl, OTHER.issuing)
    assert not crl_due(crl, ISSUER.issuing, revoked, NOW)


@given(LISTS, LISTS)
def test_it_is_due_if_it_says_something_else_than_it_should(before: list[Revoked], after: list[Revoked]) -> None:
    crl = signed_crl(ISSUER, before, 0, NOW, WEEK)
    listed = [{each.serial for each in some if each.issuer in ("", OWN)} for some in (before, after)]
    assert crl_due(crl, ISSUER.issuing, after, NOW) is (listed[0] != listed[1])


@given(LISTS, st.timedeltas(timedelta(0), timedelta(days=200)))
def test_an_entry_stands_until_a_day_after_its_certificates_end(revoked: list[Revoked], later: timedelta) -> None:
    kept = remembered(revoked, NOW + later)
    assert set(kept) == {each for each in revoked if NOW + later <= each.not_after + DAY}


@given(st.timedeltas(timedelta(hours=1), timedelta(days=91)))
def test_what_is_left_of_it_when_it_is_renewed_is_longer_than_any_leaf_lives(longest: timedelta) -> None:
    crl = signed_crl(ISSUER, (), 0, NOW, crl_lifetime(longest))
    assert crl.next_update_utc is not None
    assert crl.next_update_utc - renewal_at(crl) >= longest
    assert not crl_due(crl, ISSUER.issuing, (), renewal_at(crl) - timedelta(seconds=1))
    assert crl_due(crl, ISSUER.issuing, (), renewal_at(crl))


def test_its_number_only_grows_whatever_the_clock_does() -> None:
    first = signed_crl(ISSUER, (), 0, NOW, WEEK)
    for now in (NOW, NOW - DAY, NOW + DAY):
        assert number(signed_crl(ISSUER, (), number(first), now, WEEK)) > number(first)


def test_several_are_one_text_which_is_read_again_and_rubbish_is_none() -> None:
    crls = tuple(signed_crl(each, (), 0, NOW, WEEK) for each in (ISSUER, OTHER))
    assert crls_of(crls_pem(crls)) == crls
    assert crls_of("") == crls_of("rubbish\n-----END X509 CRL-----\n") == ()


@given(LISTS)
def test_what_is_stored_is_read_again(revoked: list[Revoked]) -> None:
    held = (Held(ISSUER, NOW), Held(OTHER), Held(ISSUER, NOW, NOW + DAY))
    register = Register(tuple(revoked), held, (signed_crl(ISSUER, revoked, 0, NOW, WEEK),))
    read = register_of(register_secret(register))
    assert read == register
    assert read.issuers[0].issuer.key.private_numbers() == ISSUER.key.private_numbers()
    assert "PRIVATE" not in repr(register)


def test_what_cannot_be_read_is_refused_without_being_shown() -> None:
    with pytest.raises(Invalid) as problem:
        register_of({"data": {"register.json": "c2VjcmV0"}})
    assert "secret\n" not in f"{problem.value}\n"
    assert problem.value.__cause__ is None


@pytest.mark.parametrize("kind", [IssuerKey.ECDSA_P256, IssuerKey.ECDSA_P384, IssuerKey.RSA_2048])
def test_openssl_refuses_what_is_listed_takes_what_is_not_and_finds_the_crl_right(
    kind: IssuerKey, tmp_path: Path
) -> None:
    now = system_clock()
    root = new_root(DOMAIN, now, kind)
    issuer = new_intermediate(DOMAIN, root, now, kind)
    authority = CertificateAuthority(issuer, (root.issuing.certificate,), system_clock)
    csr, identity = stub_request(ec.generate_private_key(ec.SECP256R1())), WorkloadIdentity(DOMAIN, "shop", "web")
    leaves = {name: authority.sign(csr, WorkloadLeaf(identity)) for name in ("good", "bad")}
    revoked = of_leaf([leaves["bad"].leaf], Register(issuers=(Held(issuer),)), now)
    crl = tmp_path / "crl.pem"
    crl.write_text(crls_pem([signed_crl(issuer, [revoked], 0, now, WEEK)]))
    (tmp_path / "root.pem").write_text(authority.trust_bundle)
    (tmp_path / "issuer.pem").write_text(pem(*issuer.certificates))
    for name, chain in leaves.items():
        (tmp_path / "leaf.pem").write_text(pem(chain.leaf))
        trust = ("-CAfile", tmp_path / "root.pem", "-untrusted", tmp_path / "issuer.pem", "-no-CApath", "-no-CAstore")
        command = ("openssl", "verify", "-x509_strict", "-crl_check", "-CRLfile", crl, *trust, tmp_path / "leaf.pem")
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        assert ("certificate revoked" in done.stderr) is (name == "bad"), done.stderr
        assert (done.returncode == 0) is (name == "good")
    command = ("openssl", "crl", "-in", crl, "-noout", "-CAfile", tmp_path / "issuer.pem", "-crlnumber", "-text")
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    assert "verify OK" in done.stderr
    assert "Version 2" in done.stdout
    assert "X509v3 Authority Key Identifier" in done.stdout


@pytest.mark.parametrize("serial", [0, -1, 2**159])
def test_what_can_be_no_serial_number_is_refused_wherever_it_comes_from(serial: int) -> None:
    with pytest.raises(Invalid):
        Revoked(serial, NOW, NOW)
    stored = {"revoked": [{"serial": f"{serial:x}", "at": "2026-03-01T00:00:00Z", "not_after": "2026-03-01T00:00:00Z"}]}
    with pytest.raises(Invalid):
        register_of({"data": {"register.json": b64encode(json.dumps(stored).encode()).decode()}})


def test_a_moment_that_no_crl_can_name_is_refused() -> None:
    with pytest.raises(Invalid):
        Revoked(7, datetime(1, 1, 1, tzinfo=UTC), NOW)


def test_only_a_leaf_that_is_alive_and_of_an_issuer_with_a_crl_can_be_revoked() -> None:
    authority = CertificateAuthority(ISSUER, (ROOT.issuing.certificate,), lambda: NOW)
    leaf = authority.sign(
        stub_request(ec.generate_private_key(ec.SECP256R1())), WorkloadLeaf(WorkloadIdentity(DOMAIN, "shop", "web"))
    ).leaf
    register = Register(issuers=(Held(ISSUER, NOW),))
    assert of_leaf([leaf], register, NOW) == Revoked(
        leaf.serial_number, NOW.replace(microsecond=0), leaf.not_valid_after_utc, OWN
    )
    refused: list[tuple[list[x509.Certificate], Register, datetime]] = [
        ([], register, NOW),
        ([ISSUER.issuing.certificate], register, NOW),
        ([leaf], Register(issuers=(Held(OTHER),)), NOW),
        ([leaf], register, NOW + 2 * DAY),
    ]
    for certificates, known, now in refused:
        with pytest.raises(Invalid):
            of_leaf(certificates, known, now)


def test_a_serial_number_is_taken_as_logs_and_openssl_show_it() -> None:
    for text in ("0x1f" + "0" * 30, "1F" * 10, ":".join(["1f"] * 20)):
        assert is_serial(text)
        assert of_serial(text, DAY, NOW).serial == int(text.replace(":", ""), 16)
    for text in ("web", "1f", "g" * 20, "", "1f" * 21):
        assert not is_serial(text)
    with pytest.raises(Invalid):
        of_serial("web", DAY, NOW)


def test_what_is_wrong_with_the_lists_is_told() -> None:
    revoked = Revoked(7, NOW, NOW + DAY)
    crl = signed_crl(ISSUER, [revoked], 0, NOW, WEEK)
    register = Register((revoked,), (Held(ISSUER, NOW),), (crl,))
    sound = standing_of(register, ISSUER, NOW)
    assert (sound.revoked, sound.problems) == (("7",), ())
    assert [(each.role, each.revoked) for each in sound.crls] == [("issues", 1)]
    late = standing_of(register, ISSUER, NOW + timedelta(days=4))
    assert [problem.split(":")[0] for problem in late.problems] == ["a CRL is not renewed"]
    assert "no CRL" in standing_of(register, OTHER, NOW).problems[0]
    unlisted = Register((revoked, Revoked(8, NOW, NOW + DAY)), register.issuers, register.crls)
    assert "no CRL lists yet" in standing_of(unlisted, ISSUER, NOW).problems[0]
