"""A foreign root is an anchor for its own trust domain, whatever stands in it."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ca.anchors import anchor
from ca.authority import new_root
from ca.randomness import new_key
from proa.identity import TrustDomain

DOMAIN = TrustDomain("other.example")
KEY = new_key()
URIS = [x509.UniformResourceIdentifier(each) for each in (".example", "cluster.local")]
SUBTREES = st.lists(st.sampled_from([*URIS, x509.DNSName("other.example"), x509.DNSName(".svc")]), min_size=1)


def root(*extensions: x509.ExtensionType) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "theirs")])
    start = datetime(2026, 3, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 7, start, start + timedelta(days=1))
    for each in (x509.BasicConstraints(ca=True, path_length=2), *extensions):
        builder = builder.add_extension(each, critical=True)
    return builder.sign(KEY, SHA256())


def constraints(of: x509.Certificate) -> x509.NameConstraints:
    return of.extensions.get_extension_for_class(x509.NameConstraints).value


@given(SUBTREES, st.none() | SUBTREES)
def test_a_root_that_is_constrained_already_keeps_what_it_excludes_and_permits_no_other_uris(
    permitted: list[x509.GeneralName], excluded: list[x509.GeneralName] | None
) -> None:
    found = constraints(anchor(root(x509.NameConstraints(permitted, excluded)), DOMAIN))
    uris = [each for each in found.permitted_subtrees or () if isinstance(each, x509.UniformResourceIdentifier)]
    assert uris == [x509.UniformResourceIdentifier("other.example")]
    assert [each for each in found.permitted_subtrees or () if each not in uris] == [
        each for each in permitted if each not in URIS
    ]
    assert found.excluded_subtrees == excluded


def test_an_anchor_is_what_the_root_is_but_for_its_constraints_and_the_same_each_time() -> None:
    whole = new_root(DOMAIN, datetime(2026, 3, 1, tzinfo=UTC)).issuing.certificate
    made = anchor(whole, DOMAIN)
    assert made == anchor(whole, DOMAIN)
    assert (made.subject, made.issuer, made.serial_number) == (whole.subject, whole.issuer, whole.serial_number)
    assert made.public_key() == whole.public_key()
    assert (made.not_valid_before_utc, made.not_valid_after_utc) == (
        whole.not_valid_before_utc,
        whole.not_valid_after_utc,
    )
    assert [each for each in made.extensions if each.oid != x509.NameConstraints.oid] == list(whole.extensions)
