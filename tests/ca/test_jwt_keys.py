"""The keys that sign JWT-SVIDs, over the years: whoever verifies by what is told can verify all that is good."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.jwt.documents import BUNDLE, CONFIGURATION, KEYS, documents
from ca.jwt.keys import ANNOUNCED, LIFETIME, RETIRED, TURN, Keep, Keys, Make, Rest, SigningKey, key_set, signer, step
from ca.jwt.stored import keys_secret, stored_keys
from ca.jwt.svid import checked_audiences, jwt_svid
from ca.randomness import new_key
from proa.errors import Invalid
from proa.identity import TrustDomain, WorkloadIdentity
from support.issuers import material

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEB = WorkloadIdentity(TrustDomain("cluster.local"), "shop", "web")
ISSUER = "https://oidc.example.org/mesh"


def after(keys: Keys, now: datetime) -> Keys:
    """*keys* as the leader leaves them at *now*."""
    while not isinstance(due := step(keys, now), Rest):
        match due:
            case Make():
                keys = (*keys, SigningKey(now.replace(microsecond=0), new_key()))
            case Keep(kept):
                keys = kept
    return keys


@dataclass(frozen=True)
class Signed:
    by: str
    until: datetime


@given(st.lists(st.timedeltas(timedelta(minutes=1), timedelta(days=20)), min_size=1, max_size=30))
def test_whenever_the_leader_looks_each_token_is_verified_by_what_is_told_until_its_end(
    pauses: list[timedelta],
) -> None:
    keys, now = after((), NOW), NOW
    told_since = {keys[0].identifier: NOW - ANNOUNCED}
    signed: list[Signed] = []
    for pause in pauses:
        signed.append(Signed(signer(keys, now).identifier, now + LIFETIME))
        now += pause
        # Just before the leader looks, a replica signs with what there is.
        late = signer(keys, now)
        signed.append(Signed(late.identifier, now + LIFETIME))
        keys = after(keys, now)
        for each in keys:
            told_since.setdefault(each.identifier, now)
        assert {each.by for each in signed if each.until > now} <= {each.identifier for each in keys}
        assert told_since[signer(keys, now).identifier] + ANNOUNCED <= now
        assert len(keys) <= 3


def test_a_key_is_told_before_it_signs_and_after_it_did_and_then_is_gone() -> None:
    (first,) = after((), NOW)
    assert signer((first,), NOW) == first
    assert step((first,), NOW) == Rest(NOW + TURN)
    both = after((first,), NOW + TURN)
    second = both[1]
    assert signer(both, second.made + ANNOUNCED - timedelta(seconds=1)) == first
    assert signer(both, second.made + ANNOUNCED) == second
    gone = second.made + ANNOUNCED + RETIRED
    assert step(both, gone - timedelta(seconds=1)) == Rest(gone)
    assert step(both, gone) == Keep((second,))
    assert RETIRED > LIFETIME


def test_what_is_stored_is_what_was_there_and_a_stranger_is_refused_unseen() -> None:
    keys = tuple(SigningKey(NOW + TURN * number, new_key()) for number in range(2))
    secret: Any = keys_secret(keys, "7")
    assert secret["metadata"]["resourceVersion"] == "7"
    assert [each.identifier for each in stored_keys(secret)] == [each.identifier for each in keys]
    assert "PRIVATE" not in repr(keys)
    with pytest.raises(Invalid) as refused:
        stored_keys({**secret, "data": {"key.pem": next(iter(secret["data"].values()))}})
    assert "PRIVATE" not in str(refused.value)


def test_a_token_says_who_for_whom_and_how_long_and_nothing_else() -> None:
    key = SigningKey(NOW, new_key())
    text = jwt_svid((key,), WEB, ("reports",), ISSUER, NOW)
    assert jwt.get_unverified_header(text) == {"alg": "ES256", "typ": "JWT", "kid": key.identifier}
    since = int(NOW.timestamp())
    assert jwt.decode(text, options={"verify_signature": False}) == {
        "iss": ISSUER,
        "sub": WEB.uri,
        "aud": ["reports"],
        "iat": since,
        "exp": since + 300,
    }


@pytest.mark.parametrize("audiences", [(), ("",), ("x" * 513,), tuple(map(str, range(9)))])
def test_a_token_for_nobody_or_for_everybody_is_not_made(audiences: tuple[str, ...]) -> None:
    with pytest.raises(Invalid):
        checked_audiences(audiences)
    assert checked_audiences(("b", "a", "b")) == ("b", "a")


def test_what_verifiers_are_told_is_named_below_the_issuers_path_and_holds_no_private_half() -> None:
    keys = (SigningKey(NOW, new_key()),)
    found = documents(keys, material("ECDSA P-256", WEB.trust_domain, lambda: NOW).roots, ISSUER)
    assert set(found) == {f"/mesh{path}" for path in (CONFIGURATION, KEYS, BUNDLE)}
    assert not any(b'"d"' in document for document in found.values())
    told: Any = key_set(keys)
    assert [each["use"] for each in told["keys"]] == ["jwt-svid"]
    assert jwt.PyJWK(told["keys"][0]).key_id == keys[0].identifier
