"""SPIFFE-ID specification §2: what is an id, what is not, and which rule a wrong one breaks."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import Invalid
from proa.identity import TrustDomain, WorkloadIdentity, known_as, parsed_identity

GOOD = "spiffe://cluster.local/ns/shop/sa/web"
ALPHANUMERIC = string.ascii_lowercase + string.digits
domains = st.text(f"{ALPHANUMERIC}.-_", min_size=1, max_size=255).map(TrustDomain)
labels = st.builds(
    lambda first, inner, last: first + inner + last,
    st.sampled_from(ALPHANUMERIC),
    st.text(f"{ALPHANUMERIC}-", max_size=61),
    st.sampled_from(ALPHANUMERIC),
)
accounts = st.lists(labels, min_size=1, max_size=4).map(".".join).filter(lambda name: len(name) <= 253)
identities = st.builds(WorkloadIdentity, domains, labels, accounts)
near_ids = st.lists(
    st.sampled_from(["spiffe:", "//", "/", "cluster.local", "ns", "shop", "sa", "web", ".", "..", "%2f", "A", "?", "#"])
    | st.text(max_size=3),
    max_size=12,
).map("".join)


def outcome(text: str) -> WorkloadIdentity | Invalid:
    try:
        return parsed_identity(text)
    except Invalid as problem:
        return problem


@given(identities)
def test_every_identity_is_read_back_from_what_it_prints(identity: WorkloadIdentity) -> None:
    assert parsed_identity(identity.uri) == identity
    assert str(identity) == identity.uri
    assert identity.uri.startswith(f"{identity.trust_domain.uri}/")


@given(st.text(st.characters()) | near_ids | near_ids.map(lambda text: f"spiffe://d/ns/{text}"))
def test_any_text_is_an_id_that_prints_back_or_is_invalid(text: str) -> None:
    match outcome(text):
        case Invalid() as problem:
            assert problem.field
            assert problem.allowed
        case identity:
            assert identity.uri == text


@given(identities, st.lists(domains, max_size=3, unique=True))
def test_a_workload_of_a_domain_with_other_names_is_known_by_each_and_a_foreign_one_by_its_own(
    identity: WorkloadIdentity, names: list[TrustDomain]
) -> None:
    assert known_as(identity, names) == (identity,) or identity.trust_domain in names
    own = (identity.trust_domain, *(each for each in names if each != identity.trust_domain))
    known = known_as(identity, own)
    assert [each.trust_domain for each in known] == list(own)
    assert {(each.namespace, each.service_account) for each in known} == {
        (identity.namespace, identity.service_account)
    }


def test_half_a_surrogate_pair_is_invalid_and_no_encoding_error() -> None:
    with pytest.raises(Invalid):
        parsed_identity(f"{GOOD}\ud800")


@pytest.mark.parametrize(
    ("uri", "field", "found"),
    [
        pytest.param("", "SPIFFE id", "''", id="nothing"),
        pytest.param("https://cluster.local/ns/shop/sa/web", "SPIFFE id", "https", id="scheme"),
        pytest.param("SPIFFE://cluster.local/ns/shop/sa/web", "SPIFFE id", "SPIFFE", id="upper case scheme"),
        pytest.param("spiffe:/cluster.local/ns/shop/sa/web", "SPIFFE id", "spiffe:/c", id="one slash"),
        pytest.param("cluster.local/ns/shop/sa/web", "SPIFFE id", "cluster", id="no scheme"),
        pytest.param(" " + GOOD, "SPIFFE id", "' spiffe", id="space before"),
        pytest.param("spiffe:///ns/shop/sa/web", "trust domain", "''", id="no trust domain"),
        pytest.param("spiffe://Cluster.Local/ns/shop/sa/web", "trust domain", "Cluster", id="upper case"),
        pytest.param("spiffe://cluster.local:443/ns/shop/sa/web", "trust domain", ":443", id="port"),
        pytest.param("spiffe://root@cluster.local/ns/shop/sa/web", "trust domain", "root@", id="userinfo"),
        pytest.param("spiffe://cluster%2elocal/ns/shop/sa/web", "trust domain", "%2e", id="percent-encoded domain"),
        pytest.param("spiffe://clüster.local/ns/shop/sa/web", "trust domain", "clüster", id="not ASCII"),
        pytest.param("spiffe://cluster.local", "SPIFFE id", "cluster.local'", id="no path"),
        pytest.param("spiffe://cluster.local/", "SPIFFE id", "local/", id="empty path"),
        pytest.param(GOOD + "/", "SPIFFE id", "web/", id="trailing slash"),
        pytest.param(GOOD + "/more", "SPIFFE id", "more", id="longer path"),
        pytest.param("spiffe://cluster.local//ns/shop/sa/web", "SPIFFE id", "//ns", id="empty segment"),
        pytest.param("spiffe://cluster.local/ns//sa/web", "namespace", "''", id="empty namespace"),
        pytest.param("spiffe://cluster.local/ns/shop/sa/", "service account", "''", id="empty service account"),
        pytest.param("spiffe://cluster.local/ns/./sa/web", "namespace", "'.'", id="dot segment"),
        pytest.param("spiffe://cluster.local/ns/../sa/web", "namespace", "'..'", id="dots segment"),
        pytest.param("spiffe://cluster.local/ns/shop/sa/..", "service account", "'..'", id="dots at the end"),
        pytest.param("spiffe://cluster.local/ns/shop/sa/../web", "SPIFFE id", "..", id="dots in between"),
        pytest.param("spiffe://cluster.local/NS/shop/sa/web", "SPIFFE id", "NS", id="upper case in the path"),
        pytest.param("spiffe://cluster.local/ns/Shop/sa/web", "namespace", "Shop", id="upper case namespace"),
        pytest.param("spiffe://cluster.local/ns/my_shop/sa/web", "namespace", "my_shop", id="not a DNS label"),
        pytest.param("spiffe://cluster.local/ns/shop.eu/sa/web", "namespace", "shop.eu", id="dot in a namespace"),
        pytest.param(GOOD + "?x=1", "service account", "?x=1", id="query"),
        pytest.param(GOOD + "#x", "service account", "#x", id="fragment"),
        pytest.param(GOOD + "%2fadmin", "service account", "%2f", id="percent-encoded path"),
        pytest.param(GOOD + "\n", "service account", r"\n", id="line feed"),
        pytest.param(GOOD + "..eu", "service account", "web..eu", id="empty label"),
        pytest.param(GOOD + ".-eu", "service account", ".-eu", id="label that begins with a hyphen"),
        pytest.param(GOOD + "-.eu", "service account", "-.eu", id="label that ends with a hyphen"),
    ],
)
def test_an_id_that_breaks_a_rule_is_refused_by_its_part(uri: str, field: str, found: str) -> None:
    with pytest.raises(Invalid) as refused:
        parsed_identity(uri)
    assert refused.value.field == field
    assert found in refused.value.found


@pytest.mark.parametrize(
    ("longest", "field"),
    [
        ("spiffe://" + "d" * 255 + "{}/ns/shop/sa/web", "trust domain"),
        ("spiffe://cluster.local/ns/" + "n" * 63 + "{}/sa/web", "namespace"),
        (GOOD[:-3] + ".".join(["a" * 63] * 3) + "." + "a" * 61 + "{}", "service account"),
    ],
)
def test_each_part_may_be_as_long_as_its_standard_lets_it_and_no_longer(longest: str, field: str) -> None:
    assert parsed_identity(longest.format("")).uri == longest.format("")
    with pytest.raises(Invalid) as refused:
        parsed_identity(longest.format("x"))
    assert refused.value.field == field


@pytest.mark.parametrize("more", ["x" * 2048, "é" * 1024])
def test_an_id_over_2048_bytes_is_refused_for_its_length(more: str) -> None:
    with pytest.raises(Invalid, match=r"found 20[0-9]{2} bytes, allowed: at most 2048 bytes"):
        parsed_identity(f"spiffe://{more}")


def test_an_id_of_2048_bytes_is_refused_for_its_form_alone() -> None:
    with pytest.raises(Invalid) as refused:
        parsed_identity("spiffe://" + "x" * 2039)
    assert "bytes" not in refused.value.allowed


def test_identities_are_the_same_if_all_their_parts_are() -> None:
    domain = TrustDomain("cluster.local")
    web = WorkloadIdentity(domain, "shop", "web")
    assert web == WorkloadIdentity(TrustDomain("cluster.local"), "shop", "web")
    assert (
        len({web, WorkloadIdentity(domain, "shop", "api"), WorkloadIdentity(TrustDomain("other"), "shop", "web")}) == 3
    )
