"""JWT-SVIDs at the agent: which are taken, whoever made them; how often the authority is asked."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.istio.quota import BY_NODE
from ca.istio.verdict import Code
from ca.jwk import parameters
from ca.jwt.keys import LIFETIME, SigningKey, key_set
from ca.jwt.messages import create_asked, create_request, create_response, created, keys_response, told_keys
from ca.jwt.svid import jwt_svid
from ca.randomness import new_key
from ca.trusted.messages import Foreign, Trust
from node.workload.attestation import Workload, WorkloadRefused
from node.workload.jwt_profile import MOST, OF_A_POD, JwtProfile
from node.workload.token import Token, token, validated
from proa.errors import Invalid
from proa.identity import TrustDomain, WorkloadIdentity
from support.workload_messages import jwt_svid_request, response_of, validated_id, validation_request

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOMAIN = TrustDomain("cluster.local")
WEB = WorkloadIdentity(DOMAIN, "shop", "web")
POD = Workload("uid-of-web-1", WEB)
KEY = SigningKey(NOW, new_key())
KEYS = msgspec.json.encode(key_set((KEY,)))
KEY_SETS = {DOMAIN: KEYS}
SINCE = int(NOW.timestamp())
CLAIMS: dict[str, Any] = {"sub": WEB.uri, "aud": ["reports"], "exp": SINCE + 300}


def made(claims: dict[str, Any] = CLAIMS, key: Any = KEY.key, algorithm: str = "ES256", **header: Any) -> str:
    return jwt.encode(claims, key, algorithm, {"kid": KEY.identifier, **header})


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


def test_a_token_of_the_trust_domain_is_its_subjects() -> None:
    text = jwt_svid((KEY,), WEB, ("sales", "reports"), "https://x", NOW)
    identity, claims = validated(text, "reports", KEY_SETS, NOW)
    assert (identity, claims["aud"]) == (WEB.uri, ["sales", "reports"])
    assert validated(made(), "reports", KEY_SETS, NOW + timedelta(seconds=299))[0] == WEB.uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "x" * 17_000,
        f"{made().partition('.')[0]}.{urlsafe_b64encode(b'[' * 12_000).decode()}.x",
        f"{urlsafe_b64encode(b'[' * 12_000).decode()}.e30.x",
        made()[:-3],
        made(without("sub")),
        made(without("aud")),
        made(without("exp")),
        made({**CLAIMS, "aud": ["sales"]}),
        made({**CLAIMS, "exp": SINCE}),
        made({**CLAIMS, "exp": "never"}),
        made({**CLAIMS, "nbf": SINCE + 1}),
        made({**CLAIMS, "sub": "spiffe://other.org/ns/shop/sa/web"}),
        made({**CLAIMS, "sub": "web"}),
        made(key=new_key()),
        made(kid="another"),
        made(typ="at+jwt"),
        made(typ=["JWT"]),
        made(key="x" * 32, algorithm="HS256"),
        made(key=None, algorithm="none"),
        made(key=rsa.generate_private_key(65537, 2048), algorithm="RS256"),
    ],
)
def test_what_another_made_or_what_is_for_others_or_over_is_not_taken(text: str) -> None:
    with pytest.raises(Invalid):
        validated(text, "reports", KEY_SETS, NOW)


def test_a_key_set_of_public_keys_never_serves_as_a_secret() -> None:
    """The classic: a token signed by the public key's own bytes, as if it were a shared secret."""
    header = {"alg": "HS256", "kid": KEY.identifier}
    signed = b".".join(urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=") for part in (header, CLAIMS))
    public = KEY.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = b".".join((signed, urlsafe_b64encode(hmac.digest(public, signed, "sha256")).rstrip(b"="))).decode()
    with pytest.raises(Invalid):
        validated(forged, "reports", KEY_SETS, NOW)


def test_an_answer_for_another_or_for_other_audiences_never_reaches_a_pod() -> None:
    text = jwt_svid((KEY,), WEB, ("reports",), "https://x", NOW)
    found = token(text, WEB, ("reports",))
    assert (found.until - found.since, found.due) == (LIFETIME, NOW + LIFETIME / 2)
    assert text not in repr(found)
    for identity, audiences in ((WorkloadIdentity(DOMAIN, "shop", "db"), ("reports",)), (WEB, ("sales",))):
        with pytest.raises(Invalid):
            token(text, identity, audiences)
    with pytest.raises(Invalid):
        token("x", WEB, ("reports",))


def test_both_ends_of_our_own_protocol_agree() -> None:
    assert create_asked(create_request(("a", "b"), WEB.uri)) == (("a", "b"), WEB.uri)
    assert created(create_response("x.y.z")) == "x.y.z"
    assert told_keys(keys_response(KEYS)) == KEYS
    for read in (create_asked, created, told_keys):
        with pytest.raises(Invalid):
            read(b"\xff")


@dataclass
class Authority:
    asked: list[tuple[str, ...]] = field(default_factory=list)
    told: int = 0
    now: datetime = NOW
    away: bool = False
    trusted: Trust = field(default_factory=Trust)

    async def trust(self) -> Trust:
        return self.trusted

    async def token(self, identity: WorkloadIdentity, audiences: tuple[str, ...]) -> Token:
        self.asked.append(audiences)
        if self.away:
            raise WorkloadRefused(Code.UNAVAILABLE, "AuthorityRefused", "away")
        return token(jwt_svid((KEY,), identity, audiences, "https://x", self.now), identity, audiences)

    async def key_set(self) -> bytes:
        self.told += 1
        if self.away:
            raise WorkloadRefused(Code.UNAVAILABLE, "AuthorityRefused", "away")
        return KEYS


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def profile(authority: Authority) -> JwtProfile:
    return JwtProfile(authority, authority.trust, lambda: authority.now)


async def test_a_token_is_kept_for_half_of_its_life_and_forgotten_with_its_pod(
    authority: Authority, profile: JwtProfile
) -> None:
    request = jwt_svid_request("reports")
    first = await profile.svids(request, POD)
    assert await profile.svids(request, POD) == first
    authority.now += LIFETIME / 2
    assert await profile.svids(request, POD) != first
    assert len(authority.asked) == 2
    profile.keep([])
    await profile.svids(request, POD)
    assert len(authority.asked) == 3


async def test_while_the_authority_is_away_a_token_serves_to_its_end(authority: Authority, profile: JwtProfile) -> None:
    request = jwt_svid_request("reports")
    first = await profile.svids(request, POD)
    authority.away = True
    authority.now += LIFETIME - timedelta(seconds=1)
    assert await profile.svids(request, POD) == first
    authority.now += timedelta(seconds=1)
    with pytest.raises(WorkloadRefused, match="away"):
        await profile.svids(request, POD)


async def test_a_pods_tokens_are_bounded_in_number_and_in_rate(authority: Authority, profile: JwtProfile) -> None:
    refused: list[str] = []
    for number in range(OF_A_POD.burst + 5):
        try:
            await profile.svids(jwt_svid_request(f"for-{number}"), POD)
        except WorkloadRefused as error:
            refused.append(error.reason)
    assert refused == ["PodTooOften"] * 5
    assert len(authority.asked) == OF_A_POD.burst <= MOST


def test_few_pods_that_ask_for_tokens_leave_their_node_its_certificates() -> None:
    assert OF_A_POD.seconds >= 40 * BY_NODE.seconds
    assert OF_A_POD.seconds * MOST <= LIFETIME.total_seconds() / 2, "all that are kept of a pod can be renewed"


async def test_who_asks_for_another_identity_or_for_nobody_is_refused(profile: JwtProfile) -> None:
    wrong: list[tuple[Callable[[], bytes], Code]] = [
        (lambda: jwt_svid_request("reports", identity="spiffe://cluster.local/ns/shop/sa/db"), Code.PERMISSION_DENIED),
        (jwt_svid_request, Code.INVALID_ARGUMENT),
        (lambda: b"\xff", Code.INVALID_ARGUMENT),
    ]
    for request, status in wrong:
        with pytest.raises(WorkloadRefused) as refused:
            await profile.svids(request(), POD)
        assert refused.value.status is status
    with pytest.raises(WorkloadRefused) as refused:
        await profile.validation(b"", POD)
    assert refused.value.status is Code.INVALID_ARGUMENT


async def test_the_keys_are_asked_for_once_a_minute_whoever_wants_them(
    authority: Authority, profile: JwtProfile
) -> None:
    for _ in range(5):
        message, _ = await profile.bundle(POD)
    assert authority.told == 1
    assert response_of(message) == {DOMAIN.uri: KEYS}


async def test_while_the_authority_is_away_its_keys_serve_as_long_as_a_token_of_before_may_live(
    authority: Authority, profile: JwtProfile
) -> None:
    first, _ = await profile.bundle(POD)
    authority.away = True
    for seconds in (60, 61, 120, 299):
        authority.now = NOW + timedelta(seconds=seconds)
        assert (await profile.bundle(POD))[0] == first
    assert authority.told == 4, "who comes a second after it was asked in vain does not wait for it"
    authority.now = NOW + LIFETIME
    with pytest.raises(WorkloadRefused, match="away"):
        await profile.bundle(POD)
    authority.away = False
    authority.now += timedelta(seconds=1)
    assert (await profile.bundle(POD))[0] == first


async def test_a_clock_that_was_put_back_keeps_no_key_from_being_forgotten(
    authority: Authority, profile: JwtProfile
) -> None:
    await profile.bundle(POD)
    authority.now -= timedelta(days=1)
    await profile.bundle(POD)
    assert authority.told == 2


OTHER, NEVER, ALIAS = (TrustDomain(name) for name in ("other.example", "never.example", "former.local"))
THEIRS = SigningKey(NOW, new_key())
PEER = "spiffe://other.example/billing/api"
TRUST = Trust((ALIAS,), (Foreign(OTHER, b"", msgspec.json.encode(key_set((THEIRS,)))), Foreign(NEVER, b"", b"")))


def of(identity: str, key: SigningKey = THEIRS) -> str:
    return made({**CLAIMS, "sub": identity}, key.key, kid=key.identifier)


async def test_a_token_of_a_believed_trust_domain_is_validated_by_its_own_keys_and_one_of_ours_by_ours(
    authority: Authority, profile: JwtProfile
) -> None:
    authority.trusted = TRUST
    former = WEB.uri.replace(DOMAIN.name, ALIAS.name)
    for text, identity in ((of(PEER), PEER), (of(former, KEY), former), (of(WEB.uri, KEY), WEB.uri)):
        assert validated_id(await profile.validation(validation_request("reports", text), POD)) == identity
    message, _ = await profile.bundle(POD)
    assert response_of(message) == {DOMAIN.uri: KEYS, ALIAS.uri: KEYS, OTHER.uri: TRUST.foreign[0].key_set}


@pytest.mark.parametrize(
    "text",
    [
        of(PEER, KEY),
        of(WEB.uri, THEIRS),
        of(WEB.uri.replace(DOMAIN.name, ALIAS.name), THEIRS),
        of("spiffe://never.example/api", KEY),
        of("spiffe://never.example/api", THEIRS),
        of("spiffe://stranger.example/api", KEY),
        of("spiffe://other.example"),
        of("spiffe://other.example/../api"),
        of("spiffe://other.example@cluster.local/api"),
    ],
)
async def test_no_trust_domains_keys_vouch_for_another_and_one_whose_keys_nobody_told_is_refused(
    authority: Authority, profile: JwtProfile, text: str
) -> None:
    authority.trusted = TRUST
    with pytest.raises(WorkloadRefused) as refused:
        await profile.validation(validation_request("reports", text), POD)
    assert refused.value.status is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("claim", [10**400, "\ud800", {"\ud800": 1}], ids=["number", "text", "name"])
async def test_what_another_trust_domain_claims_beyond_protobufs_json_is_refused_and_no_fault_of_ours(
    authority: Authority, profile: JwtProfile, claim: Any
) -> None:
    authority.trusted = TRUST
    text = made({**CLAIMS, "sub": PEER, "more": claim}, THEIRS.key, kid=THEIRS.identifier)
    with pytest.raises(WorkloadRefused, match="claims") as refused:
        await profile.validation(validation_request("reports", text), POD)
    assert refused.value.status is Code.INVALID_ARGUMENT


def test_what_a_token_says_of_itself_is_repeated_in_no_refusal_that_has_no_encoding() -> None:
    with pytest.raises(Invalid) as refused:
        validated(made(crit=["\ud800" * 1000]), "reports", KEY_SETS, NOW)
    assert len(str(refused.value).encode()) < 400


def test_the_refusal_says_whose_keys_are_known() -> None:
    with pytest.raises(Invalid, match=r"stranger\.example.*cluster\.local"):
        validated(of("spiffe://stranger.example/api"), "reports", KEY_SETS, NOW)


@pytest.mark.parametrize(("size", "algorithm"), [(2048, "RS256"), (2048, "PS512")])
def test_a_foreign_trust_domain_may_sign_by_rsa(size: int, algorithm: str) -> None:
    key = rsa.generate_private_key(65537, size)
    keys = {OTHER: msgspec.json.encode({"keys": [{**parameters(key.public_key()), "kid": "1", "use": "jwt-svid"}]})}
    text = made({**CLAIMS, "sub": PEER}, key, algorithm, kid="1")
    assert validated(text, "reports", keys, NOW)[0] == PEER
    with pytest.raises(Invalid):
        validated(made({**CLAIMS, "sub": PEER}, new_key(), kid="1"), "reports", keys, NOW)
