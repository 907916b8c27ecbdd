"""What Vault is asked and what its answers come to; its own engine answers in `tests/cluster_suite/test_vault.py`."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from ca.randomness import new_key, new_serial
from ca.upstream import issuer_request
from ca.vault import wire
from ca.vault.calls import LARGEST, Answer, farewell, logged_in, login, signed, signing
from ca.vault.failures import VaultRefused, VaultUnavailable
from proa.errors import Invalid, ProaError
from proa.identity import TrustDomain
from proa.upstreams import ConfigMapRoots, KubernetesAuth, SecretRoots, VaultPki
from support.vault import HOST, serving

JWT = "eyJhbGciOi.J9.c2ln"
UPSTREAM = VaultPki(
    server="https://vault.example:8200", mount="team/pki", issuer="mesh", auth=KubernetesAuth(mount="k8s", role="proa")
)
REQUEST = issuer_request(TrustDomain("cluster.local"), new_key(), new_serial())
LOGIN = login(UPSTREAM, JWT)
SIGNING = signing(UPSTREAM, REQUEST, "hvs.token")


def refused(status: int, *errors: str, retry_after: str = "") -> Answer:
    return Answer(status, json.dumps({"errors": errors}).encode(), retry_after)


def test_a_login_shows_the_accounts_token_for_the_role_and_no_token_of_vaults() -> None:
    assert (LOGIN.path, LOGIN.with_token) == ("/v1/auth/k8s/login", False)
    assert json.loads(LOGIN.body) == {"role": "proa", "jwt": JWT}


def test_an_issuer_is_asked_for_as_the_request_describes_it() -> None:
    asked = json.loads(SIGNING.body)
    assert SIGNING.path == "/v1/team/pki/issuer/mesh/sign-intermediate"
    serial = asked.pop("serial_number")
    assert re.fullmatch("[0-9a-f]+", serial)
    assert asked == {
        "csr": REQUEST,
        "format": "pem",
        "common_name": "Proa intermediate",
        "organization": "cluster.local",
        "uri_sans": ["spiffe://cluster.local"],
        "ttl": "7776000s",
        "max_path_length": 0,
        "exclude_cn_from_sans": True,
    }


def test_no_token_stands_in_what_a_log_would_show_of_a_call() -> None:
    for call in (LOGIN, SIGNING, farewell("hvs.token")):
        assert JWT not in repr(call)
        assert "hvs.token" not in repr(call)


@pytest.mark.parametrize("status", [408, 412, 429, 500, 502, 503, 504])
def test_what_passes_by_itself_is_unavailable_and_its_wait_is_kept(status: int) -> None:
    with pytest.raises(VaultUnavailable, match=str(status)) as raised:
        logged_in(LOGIN, refused(status, "try later", retry_after="7"), UPSTREAM)
    assert raised.value.retry_after == 7
    with pytest.raises(VaultUnavailable) as raised:
        logged_in(LOGIN, refused(status, retry_after="soon"), UPSTREAM)
    assert raised.value.retry_after == 0


@pytest.mark.parametrize(
    ("call", "status", "remedy"),
    [
        (LOGIN, 400, "vault write auth/k8s/role/proa bound_service_account_names=proa-ca"),
        (LOGIN, 403, "audience=vault"),
        (LOGIN, 404, "vault auth enable -path=k8s kubernetes"),
        (SIGNING, 400, "vault read team/pki/issuer/mesh"),
        (SIGNING, 403, 'path "team/pki/issuer/mesh/sign-intermediate" { capabilities = ["update"] }'),
        (SIGNING, 404, "vault secrets enable -path=team/pki pki"),
        (SIGNING, 307, "authority.upstream.server"),
    ],
)
def test_what_an_admin_mends_is_refused_with_how(call: Any, status: int, remedy: str) -> None:
    with pytest.raises(VaultRefused, match="said so") as raised:
        (logged_in if call is LOGIN else signed)(call, refused(status, "said so"), UPSTREAM)
    assert remedy in str(raised.value)


@given(status=st.integers(201, 599), body=st.binary(max_size=200), words=st.lists(st.text(max_size=400), max_size=3))
def test_no_answer_but_a_signed_one_is_taken_and_none_is_repeated_at_length(
    status: int, body: bytes, words: list[str]
) -> None:
    for answer in (Answer(status, body), refused(status, *words), Answer(200, body)):
        with pytest.raises(ProaError) as raised:
            signed(SIGNING, answer, UPSTREAM)
        assert len(str(raised.value)) < 900
        assert "\n" not in str(raised.value)


def test_a_token_that_an_answer_repeats_is_not_said_again() -> None:
    with pytest.raises(VaultRefused, match="bad jwt …") as raised:
        logged_in(LOGIN, refused(403, f"bad jwt {JWT}"), UPSTREAM)
    assert JWT not in str(raised.value)


@pytest.mark.parametrize("token", ["", "two\r\nX-Vault-Namespace: other", "é"])
def test_a_token_that_is_none_goes_into_no_header(token: str) -> None:
    with pytest.raises(Invalid):
        logged_in(LOGIN, Answer(200, json.dumps({"auth": {"client_token": token}}).encode()), UPSTREAM)


def of_a_strange_curve() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    day = datetime(2026, 3, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + timedelta(days=1)).sign(key, SHA256())
    text = made.public_bytes(Encoding.DER).replace(
        b"\x2a\x86\x48\xce\x3d\x03\x01\x07", b"\x2a\x86\x48\xce\x3d\x03\x01\x7f"
    )
    return ssl.DER_cert_to_PEM_cert(text)


@pytest.mark.parametrize("certificate", ["none", of_a_strange_curve()])
def test_a_certificate_that_cannot_be_read_is_invalid(certificate: str) -> None:
    body = {"data": {"certificate": certificate, "issuing_ca": certificate, "ca_chain": []}}
    with pytest.raises(Invalid, match="sign-intermediate"):
        signed(SIGNING, Answer(200, json.dumps(body).encode()), UPSTREAM)


@pytest.mark.parametrize("status", [200, 403])
def test_an_answer_as_deep_as_it_may_be_long_ends_no_leader(status: int) -> None:
    deep = LARGEST // 2
    with pytest.raises(ProaError):
        signed(SIGNING, Answer(status, b'{"data":' + b"[" * deep + b"]" * deep + b"}"), UPSTREAM)
    with pytest.raises(ProaError):
        signed(SIGNING, Answer(status, b'{"x":' + b"[" * deep + b"]" * deep + b"}"), UPSTREAM)


@pytest.mark.parametrize("content", ["", "\n", "no certificate", "é"])
def test_a_file_without_a_certificate_is_never_replaced_by_what_the_system_trusts(tmp_path: Path, content: str) -> None:
    (tmp_path / "ca.crt").write_text(content)
    for ca, words in ((ConfigMapRoots(), "ConfigMap proa-vault-ca"), (SecretRoots(name="own"), "Secret own")):
        with pytest.raises(Invalid, match=words):
            asyncio.run(_opened(VaultPki(server=UPSTREAM.server, ca=ca), tmp_path))


def test_files_that_are_not_there_are_told_with_who_puts_them_there(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="ConfigMap proa-vault-ca"):
        asyncio.run(_opened(UPSTREAM, tmp_path))
    with pytest.raises(Invalid, match="proa upgrade"):
        wire.account_token(tmp_path)
    (tmp_path / "token").write_text("\n")
    with pytest.raises(Invalid, match="nothing"):
        wire.account_token(tmp_path)


async def _opened(upstream: VaultPki, directory: Path) -> None:
    async with wire.opened(upstream, directory):
        pass


@pytest.fixture
async def wired(tmp_path: Path) -> AsyncIterator[Any]:
    """Makes a wire to a server that answers by a handler."""
    certificate, key = serving(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with AsyncExitStack() as closing:

        async def made(handler: Any) -> wire.Wire:
            application = web.Application()
            application.router.add_route("*", "/{path:.*}", handler)
            server = TestServer(application, host=HOST)
            closing.push_async_callback(server.close)
            await server.start_server(ssl=tls)
            upstream = VaultPki(server=f"https://{HOST}:{server.port}", namespace="team/a")
            return await closing.enter_async_context(wire.opened(upstream, tmp_path))

        yield made


async def test_an_answer_that_does_not_end_is_not_read_to_its_end(wired: Any) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" " * LARGEST)
        return response

    to = await wired(endless)
    with pytest.raises(VaultUnavailable, match=f"more than {LARGEST} bytes"):
        await to.send(LOGIN)


@pytest.mark.parametrize("name", [b"", b"A: "])
async def test_a_header_that_repeats_the_token_and_is_none_or_too_long_is_not_shown(wired: Any, name: bytes) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport
        shown = request.headers["X-Vault-Token"].encode() * 1000
        request.transport.write(b"HTTP/1.1 200 OK\r\n" + name + shown + b"\r\n\r\n")
        return web.Response()

    to = await wired(handler)
    for token in ("hvs.token", f"hvs.{'CAESI' * 40}"):
        with pytest.raises(VaultUnavailable) as raised:
            await to.send(signing(UPSTREAM, REQUEST, token))
        # Nor as much of it as fits into an error of the library's.
        assert "hvs." not in str(raised.value)
        assert len(str(raised.value)) < 600


async def test_a_redirection_is_not_followed_and_no_token_goes_elsewhere(wired: Any) -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    to = await wired(elsewhere)
    assert (await to.send(SIGNING)).status == 307
    assert seen == [SIGNING.path]


async def test_the_namespace_and_the_token_go_in_headers(wired: Any) -> None:
    seen: list[tuple[str | None, ...]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(tuple(request.headers.get(f"X-Vault-{name}") for name in ("Namespace", "Token", "Request")))
        return web.Response(text="{}", headers={"Retry-After": "3"})

    to = await wired(handler)
    assert (await to.send(LOGIN)).retry_after == "3"
    await to.send(SIGNING)
    assert seen == [("team/a", None, "true"), ("team/a", "hvs.token", "true")]
