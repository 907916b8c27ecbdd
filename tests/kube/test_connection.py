"""Every way in which an API server cannot be asked: named, with the address, the cause and what to do."""

import asyncio
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from ca.authority import CertificateAuthority, self_signed_authority
from ca.bundle import credential_bundle
from ca.csr import stub_request
from ca.profile import ServingLeaf
from ca.randomness import new_key
from kube.calls import Call
from kube.client import Client, connected
from kube.connection import opened
from kube.failures import Unauthenticated, Unreachable
from kube.resources import PODS
from proa import names
from proa.clock import system_clock
from proa.errors import Invalid
from proa.identity import TrustDomain
from support.api_server import ApiServer, kubeconfig
from support.sidecars import Authority


@pytest.fixture
def config(tmp_path: Path) -> Any:
    def written(server: str, **cluster: Any) -> Path:
        path = tmp_path / "kubeconfig"
        path.write_text(kubeconfig(server, **cluster))
        return path

    return written


async def failure(config: Path) -> Unreachable:
    async with connected(config) as client:
        with pytest.raises(Unreachable) as found:
            await client.version()
    assert found.value.address == client.address
    assert found.value.remedy
    return found.value


@contextmanager
def silent() -> Iterator[int]:
    """A port whose owner accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@asynccontextmanager
async def talking(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError), closing(writer):
            await reader.read(1)
            writer.write(answer)
            await writer.drain()

    server = await asyncio.start_server(answered, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_port_that_nobody_listens_on(config: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = await failure(config(f"https://127.0.0.1:{port}"))
    assert str(error).startswith(f"the API server https://127.0.0.1:{port} cannot be reached: Connect")
    assert "refused" in error.cause.lower()


async def test_a_name_that_does_not_resolve(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(*_: object, **__: object) -> None:
        # This machine's own resolver may take longer than a connection may, or be none.
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    error = await failure(config("https://api.proa.invalid:6443"))
    assert error.cause == "its name does not resolve"


async def test_a_server_that_says_nothing_is_given_up_in_time(config: Any) -> None:
    with silent() as port:
        async with opened(config(f"http://127.0.0.1:{port}"), None) as wire:
            with pytest.raises(Unreachable, match="no answer to GET /version within"):
                await wire.send(Call("GET", "/version", seconds=0.2))


async def test_a_certificate_that_is_not_trusted(config: Any, authority_of_tests: Authority, tmp_path: Path) -> None:
    tls = served_by(authority_of_tests, tmp_path)
    async with talking(b"", tls) as port:
        error = await failure(config(f"https://127.0.0.1:{port}"))
    assert error.cause.startswith("its certificate is not trusted: ")
    assert "certificate-authority" in error.remedy


async def test_a_certificate_for_another_host(config: Any, authority_of_tests: Authority, tmp_path: Path) -> None:
    tls, roots = served_by(authority_of_tests, tmp_path), {"certificate-authority": str(tmp_path / "roots.pem")}
    async with talking(b"", tls) as port:
        error = await failure(config(f"https://127.0.0.1:{port}", **roots))
    assert "127.0.0.1" in error.cause
    assert "tls-server-name" in error.remedy


async def test_a_cluster_ca_that_is_replaced_is_trusted_without_a_restart(config: Any, tmp_path: Path) -> None:
    old, new = (self_signed_authority(TrustDomain("cluster.local"), system_clock) for _ in range(2))
    tls, trusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), tmp_path / "ca.crt"

    def replace(content: str) -> None:
        (tmp_path / "next").write_text(content)
        (tmp_path / "next").replace(trusted)

    replace(old.trust_bundle)
    tls.load_cert_chain(served(old, tmp_path))
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{"gitVersion":"v1.37.2"}'
    files = {"certificate-authority": str(trusted)}
    async with talking(answer, tls) as port, connected(config(f"https://127.0.0.1:{port}", **files)) as client:
        assert await client.version() == "v1.37.2"
        tls.load_cert_chain(served(new, tmp_path))
        with pytest.raises(Unreachable, match="not trusted"):
            await client.version()
        replace(new.trust_bundle)
        assert await client.version() == "v1.37.2"
        replace("not a certificate")
        assert await client.version() == "v1.37.2", "the last that could be used"


async def test_a_server_that_speaks_no_tls(config: Any) -> None:
    async with talking(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        error = await failure(config(f"https://127.0.0.1:{port}"))
    assert error.cause


async def test_a_server_that_hangs_up(config: Any) -> None:
    async with talking(b"") as port:
        error = await failure(config(f"http://127.0.0.1:{port}"))
    assert error.cause == "it hung up during GET /version"


async def test_a_page_of_something_else_is_no_answer_of_an_api_server(config: Any) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"
    async with talking(page) as port, connected(config(f"http://127.0.0.1:{port}")) as client:
        with pytest.raises(Exception, match="not the answer of an API server"):
            await client.version()


async def test_an_unknown_identity_is_told_from_a_forbidden_one(client: Client, api_server: ApiServer) -> None:
    api_server.refusing = (401, "Unauthorized", {})
    with pytest.raises(Unauthenticated):
        await client.list(PODS)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("", "kubeconfig"),
        ("[", "kubeconfig"),
        ("clusters: 3", "kubeconfig"),
        (json.dumps({**json.loads(kubeconfig("https://127.0.0.1")), "current-context": "other"}), "name other"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, document: str, words: str) -> None:
    path = tmp_path / "broken"
    path.write_text(document)
    with pytest.raises(Invalid, match=words) as found:
        async with connected(path):
            pytest.fail("connected")
    assert str(path) in found.value.field


async def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="nowhere"):
        async with connected(tmp_path / "nowhere"):
            pytest.fail("connected")


async def test_a_login_command_that_fails_is_named(tmp_path: Path) -> None:
    document = json.loads(kubeconfig("https://127.0.0.1"))
    login = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false", "interactiveMode": "Never"}
    document["users"][0]["user"] = {"exec": login}
    path = tmp_path / "login"
    path.write_text(json.dumps(document))
    with pytest.raises(Invalid, match="login command that failed"):
        async with connected(path):
            pytest.fail("connected")


async def test_without_a_kubeconfig_the_environments_is_taken(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'absent'}{os.pathsep}{api_server.kubeconfig(tmp_path)}")
    async with connected() as client:
        assert await client.list(PODS) == ()


def served(authority: CertificateAuthority, directory: Path) -> Path:
    """The key and certificate of a server on this machine."""
    key, bundle = new_key(), directory / "server.pem"
    chain = authority.sign(stub_request(key), ServingLeaf(addresses=(IPv4Address("127.0.0.1"),)))
    bundle.write_text(credential_bundle(key, chain))
    return bundle


def served_by(authority: Authority, directory: Path) -> ssl.SSLContext:
    """TLS with a workload's certificate: real, of no authority that the kubeconfig names, and for no host."""
    bundle = directory / "bundle.pem"
    bundle.write_bytes(authority.files("ns/shop/sa/web")[names.CREDENTIAL_BUNDLE])
    (directory / "roots.pem").write_bytes(authority.files("ns/shop/sa/web")[names.TRUST_BUNDLE])
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(bundle)
    return tls
