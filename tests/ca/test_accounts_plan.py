"""Which Secrets are due, by what stands in them: the plan alone."""

from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ca.accounts.plan import Make, Renew, State, Step, Tell, asks, secrets_due
from ca.accounts.secret import (
    CHAIN,
    NAMINGS,
    Account,
    Held,
    Kept,
    Spoilt,
    changed_secret,
    credential,
    kept,
    new_secret,
)
from ca.authority import CertificateAuthority, new_root
from ca.certificates import PrivateKey, pem
from ca.csr import stub_request
from ca.profile import WorkloadLeaf
from ca.randomness import new_key
from ca.renewal import leaf_due
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import Vocabulary

DOMAIN = TrustDomain("cluster.local")
WEB, DB = Account("web", "uid-1"), Account("db", "uid-2")
PROA = NAMINGS[Vocabulary.PROA]


def identity(account: Account) -> WorkloadIdentity:
    return WorkloadIdentity(DOMAIN, "shop", account.name)


def stored(authority: CertificateAuthority, account: Account = WEB, key: PrivateKey | None = None) -> Any:
    """The Secret of *account* as the API server shows it, with *key* instead of one like those we make."""
    key = key or new_key()
    chain = authority.sign(stub_request(key), WorkloadLeaf(identity(account)))
    secret: Any = new_secret("shop", account, PROA, credential(key, chain, authority.trust_bundle))
    secret["metadata"]["resourceVersion"] = "7"
    return secret


def state(authority: CertificateAuthority, *secrets: Kept, accounts: tuple[Account, ...] = (WEB,)) -> State:
    return State("shop", accounts, secrets, DOMAIN, Vocabulary.PROA, authority.roots)


def test_what_is_written_is_read_again_without_its_key(authority: CertificateAuthority) -> None:
    found = kept(stored(authority))
    assert (found.name, found.account_uid, found.version) == ("proa.web", "uid-1", "7")
    assert isinstance(found.content, Held)
    assert found.content.uris == (identity(WEB).uri,)
    assert found.content.roots == authority.trust_bundle
    assert "PRIVATE" not in repr(found)


def test_a_good_secret_is_left_alone_and_one_that_lacks_is_made(authority: CertificateAuthority, clock: Any) -> None:
    assert secrets_due(state(authority, kept(stored(authority))), clock()) == ()
    assert secrets_due(state(authority), clock()) == (Make(WEB, identity(WEB)),)


def reason(authority: CertificateAuthority, found: Kept, now: datetime, account: Account = WEB) -> str:
    (step,) = secrets_due(state(authority, found, accounts=(account,)), now)
    assert isinstance(step, Renew)
    assert (step.account, step.version) == (account, "7")
    return step.reason


@pytest.mark.parametrize("key", ["cert-chain.pem", "key.pem", "root-cert.pem"])
@pytest.mark.parametrize("content", [None, "", "!", "eA==", "/w=="])
def test_one_that_cannot_be_read_is_renewed(
    authority: CertificateAuthority, clock: Any, key: str, content: str | None
) -> None:
    secret = stored(authority)
    secret["data"][key] = content
    match secrets_due(state(authority, kept(secret)), clock()):
        case (Renew(reason="Spoilt"),):
            assert key != "root-cert.pem" or content in {"!", "/w=="}, "no base64, or no text"
        case (Tell(),):
            assert key == "root-cert.pem", "roots that are not ours are told anew"
        case other:
            raise AssertionError(other)


def test_what_is_not_this_accounts_is_renewed_and_says_why(authority: CertificateAuthority, clock: Any) -> None:
    good, now = kept(stored(authority)), clock()
    assert isinstance(good.content, Held)
    assert reason(authority, good, now, replace(WEB, uid="another")) == "AccountReplaced"
    assert reason(authority, replace(good, content=replace(good.content, uris=("spiffe://x/ns/a/sa/b",))), now) == (
        "OtherIdentity"
    )
    assert reason(authority, replace(good, content=Spoilt()), now) == "Spoilt"
    assert reason(authority, good, now - timedelta(hours=1)) == "NotYetValid"
    other = stored(authority)
    other["data"]["key.pem"] = stored(authority)["data"]["key.pem"]
    assert reason(authority, kept(other), now) == "Spoilt", "the key is another one's"
    theirs = stored(authority, key=rsa.generate_private_key(65537, 2048))
    assert reason(authority, kept(theirs), now) == "Spoilt", "not of our kind, whose reading takes no time"


def test_a_certificate_that_ends_before_it_begins_is_spoilt_and_hides_no_other_account(
    authority: CertificateAuthority, clock: Any
) -> None:
    secret = stored(authority)
    leaf = x509.load_pem_x509_certificate(b64decode(secret["data"][CHAIN]))
    begin, end = (
        f"{moment:%y%m%d%H%M%SZ}".encode() for moment in (leaf.not_valid_before_utc, leaf.not_valid_after_utc)
    )
    utc_time = b"\x17\x0d"
    turned = leaf.public_bytes(Encoding.DER).replace(begin + utc_time + end, end + utc_time + begin)
    content = pem(x509.load_der_x509_certificate(turned)).encode()
    secret["data"][CHAIN] = b64encode(content).decode()
    assert reason(authority, kept(secret), clock()) == "Spoilt"


def test_when_its_root_is_gone_it_is_renewed_and_when_roots_are_added_they_are_told(
    authority: CertificateAuthority, clock: Any
) -> None:
    found, second = kept(stored(authority)), new_root(DOMAIN, clock()).issuing.certificate
    both = replace(state(authority, found), roots=(*authority.roots, second))
    assert secrets_due(both, clock()) == (Tell(WEB, "7"),)
    (step,) = secrets_due(replace(both, roots=(second,)), clock())
    assert isinstance(step, Renew)
    assert step.reason == "RootGone"


def test_it_is_renewed_from_45_to_55_percent_of_its_life_by_its_serial_number(authority: CertificateAuthority) -> None:
    found = kept(stored(authority))
    assert isinstance(found.content, Held)
    begin, life = found.content.validity.not_before, found.content.validity.lifetime
    shares = {(leaf_due(serial, found.content.validity) - begin) / life for serial in range(4096)}
    assert (min(shares), max(shares) < 0.55, len(shares)) == (0.45, True, 4096)
    due = leaf_due(found.content.serial, found.content.validity)
    assert secrets_due(state(authority, found), due - timedelta(seconds=1)) == ()
    assert reason(authority, found, due) == "Renewal"


def test_who_has_nothing_comes_first(authority: CertificateAuthority, clock: Any) -> None:
    found = kept(stored(authority))
    steps = secrets_due(state(authority, replace(found, content=Spoilt()), accounts=(WEB, DB)), clock())
    assert [type(step) for step in steps] == [Make, Renew]


def test_an_account_whose_secret_could_have_no_name_has_none(authority: CertificateAuthority, clock: Any) -> None:
    long = Account("a" * 249, "uid")
    assert secrets_due(state(authority, accounts=(long,)), clock()) == ()


def test_a_patch_holds_the_version_it_was_made_for() -> None:
    patch: Any = changed_secret(WEB, "7", {"root-cert.pem": "eA=="})
    assert patch["metadata"]["resourceVersion"] == "7"
    assert [owner["uid"] for owner in patch["metadata"]["ownerReferences"]] == ["uid-1"]


@pytest.mark.parametrize(
    ("labels", "vocabulary", "wanted"),
    [
        ({"proa.dev/secrets": "enabled"}, Vocabulary.PROA, True),
        ({"proa.dev/secrets": "yes"}, Vocabulary.PROA, False),
        ({}, Vocabulary.ISTIO, False),
        ({"ca.istio.io/override": "true"}, Vocabulary.PROA, False),
        ({"ca.istio.io/override": "true"}, Vocabulary.ISTIO, True),
        ({"ca.istio.io/override": "true", "proa.dev/secrets": "disabled"}, Vocabulary.ISTIO, False),
    ],
)
def test_a_namespace_asks_by_its_label(labels: dict[str, str], vocabulary: Vocabulary, wanted: bool) -> None:
    found: Any = {"metadata": {"name": "shop", "labels": labels}}
    assert asks(found, vocabulary) is wanted
    assert not asks({"metadata": {"name": "proa-system", "labels": labels}}, vocabulary)
    assert not asks({"metadata": {"name": "shop"}}, vocabulary)


hours = st.integers(0, 60).map(lambda count: timedelta(hours=count))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(hours, max_size=6), st.sets(st.sampled_from("ab")), st.booleans())
def test_after_each_plan_is_carried_out_nothing_is_due_and_every_leaf_is_good(
    authority: CertificateAuthority, clock: Any, pauses: list[timedelta], names: set[str], spoil: bool
) -> None:
    accounts = tuple(Account(name, f"uid-{name}") for name in sorted(names))
    secrets: dict[str, Kept] = {}
    clock.now = authority.issuer.issuing.validity.not_before + timedelta(days=1)

    def carried_out(steps: tuple[Step, ...]) -> None:
        for step in steps:
            secrets[step.account.name] = kept(stored(authority, step.account))

    for pause in pauses:
        clock.advance(pause)
        if spoil and secrets:
            name = min(secrets)
            secrets[name] = replace(secrets[name], content=Spoilt())
        carried_out(secrets_due(state(authority, *secrets.values(), accounts=accounts), clock()))
        assert secrets_due(state(authority, *secrets.values(), accounts=accounts), clock()) == ()
        assert set(secrets) == names
        for each in secrets.values():
            assert isinstance(each.content, Held)
            assert each.content.validity.not_before <= clock() < each.content.validity.not_after
