"""What needs the root's key is done by a process of its own, which ends; who takes requests never sees that key."""

import asyncio
import dataclasses
import json
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
import uvloop

from ca.ceremony import child
from ca.ceremony.asking import Ceremony
from ca.ceremony.messages import (
    LONGEST,
    Asked,
    CeremonyFailed,
    CeremonyLost,
    Looked,
    Step,
    Told,
    declined,
    done,
    result_of,
)
from ca.material import Material
from ca.phases import Start, name_of, record_of, written
from ca.process import serve
from ca.root_secret import root_certificates
from ca.settings import Settings
from ca.stored import stored_material
from ca.trust import TRUST_BUNDLE_NAME, trust_bundle
from kube.failures import Conflict
from proa.clock import system_clock
from proa.errors import Invalid, Refused
from proa.mesh import MeshConfiguration
from support.ceremonial import CHILD, SECRETS, Watched, ceremonies, children, of_process
from support.ports import free_ports
from support.reaching import reached

MESH = MeshConfiguration()
HOUR = timedelta(hours=1)
WITH_CRLS = '{"authority": {"roots": {"kind": "config-maps", "revocation": "crl"}}}'
CONFIGURATION = "/api/v1/namespaces/proa-system/configmaps/proa"
BUNDLE = f"/apis/certificates.k8s.io/v1/clustertrustbundles/{TRUST_BUNDLE_NAME}"


@pytest.fixture
async def api_server() -> AsyncIterator[Watched]:
    server = Watched()
    await server.start()
    await server.put(CONFIGURATION, data={"mesh.yaml": "{}"})
    yield server
    await server.stop()


@pytest.fixture
def ceremony(api_server: Watched, tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Ceremony:
    """As the process has it."""
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig_of(CHILD, tmp_path)))
    return Ceremony(child.held, clock)


def phase(server: Watched) -> str:
    return name_of(record_of(server.found(f"{SECRETS}/proa-ca")).phase)


async def publish(server: Watched) -> None:
    bundle: Any = trust_bundle(stored_material(server.found(f"{SECRETS}/proa-ca")))
    await server.put(BUNDLE, spec=bundle["spec"])


async def wish(server: Watched, wanted: Any) -> None:
    secret = server.found(f"{SECRETS}/proa-ca")
    noted = {**secret["metadata"].get("annotations", {}), "proa.dev/rotate": written(wanted)}
    await server.put(f"{SECRETS}/proa-ca", **{**secret, "metadata": {**secret["metadata"], "annotations": noted}})


class Life:
    """The whole process, led through time by news of its configuration."""

    def __init__(self, server: Watched, clock: Any, document: str) -> None:
        self.server, self.clock, self.mesh = server, clock, json.loads(document)
        self._turns, self._last = 0, 0.0

    @property
    def material(self) -> Material:
        return stored_material(self.server.found(f"{SECRETS}/proa-ca"))

    @property
    def keys(self) -> tuple[Any, ...]:
        return root_certificates(self.server.found(f"{SECRETS}/proa-ca-root"))

    async def until(self, condition: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(30):
            self._turns += 1
            self.clock.advance(6 * HOUR)
            # A configuration that is another one wakes everybody.
            document = {**self.mesh, "certificate": {"lifetimeSeconds": 3600 + self._turns}}
            await self.server.put(CONFIGURATION, data={"mesh.yaml": json.dumps(document)})
            self._last = loop.time()
            await reached(lambda: condition() or self._quiet(loop.time()), 30)
            if condition():
                return
        pytest.fail("it never came to that")

    def _quiet(self, now: float) -> bool:
        """Whether everything that was woken has done its part."""
        if ceremonies():
            self._last = now
        return now > self._last + 0.5


@asynccontextmanager
async def serving(clock: Any) -> AsyncIterator[None]:
    process = asyncio.create_task(serve(Settings("proa-ca-0", free_ports(1)[0]), clock))
    try:
        yield
        assert not process.done(), process.result()
    finally:
        process.cancel()
        await asyncio.gather(process, return_exceptions=True)


@pytest.mark.parametrize("document", ["{}", WITH_CRLS])
async def test_who_takes_requests_never_asks_for_the_roots_secret_from_the_first_root_to_the_next(
    api_server: Watched, tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch, document: str
) -> None:
    await api_server.put(CONFIGURATION, data={"mesh.yaml": document})
    await api_server.put("/api/v1/namespaces/shop", metadata={"labels": {"proa.dev/inject": "enabled"}})
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig(tmp_path)))
    life = Life(api_server, clock, document)
    api_server.refusing = 503, "ServiceUnavailable", {}
    async with serving(clock):
        await reached(lambda: api_server.asked)
        # What is started from now on has another token.
        monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig_of(CHILD, tmp_path)))
        api_server.refusing = None
        await reached(lambda: api_server.found(BUNDLE), 30)
        first = life.material
        clock.advance(timedelta(days=70))
        await life.until(lambda: life.material.issuer != first.issuer)
        assert life.material.roots == first.roots
        await wish(api_server, Start())
        await life.until(lambda: phase(api_server) == "resting" and life.keys == life.material.roots != first.roots)
    secrets = [asked for asked in api_server.of("of-a-test") if "/secrets" in asked]
    named = [unquote(asked) for asked in secrets if asked.startswith("GET")]
    assert [asked for asked in secrets if "proa-ca-root" in asked] == []
    # Lists and watches of Secrets too are of one that they name.
    assert [asked for asked in named if not re.search(r"/secrets/proa-ca[-a-z]*$|=metadata.name=proa-ca", asked)] == []
    assert f"POST {SECRETS}" in api_server.of(CHILD)
    assert f"PUT {SECRETS}/proa-ca-root" in api_server.of(CHILD)


async def test_replicas_that_start_together_end_with_one_root(
    api_server: Watched, ceremony: Ceremony, clock: Any
) -> None:
    others = [Ceremony(child.held, clock) for _ in range(2)]
    await asyncio.gather(*(each.create(MESH) for each in (ceremony, *others)))
    (root,) = root_certificates(api_server.found(f"{SECRETS}/proa-ca-root"))
    material = stored_material(api_server.found(f"{SECRETS}/proa-ca"))
    assert material.roots == (root,)
    assert material.usable(clock())


async def test_one_that_is_killed_at_any_write_is_carried_on_from_by_the_next(
    api_server: Watched, ceremony: Ceremony, clock: Any
) -> None:
    """Before it, and after the API server has taken it: the first root, and a whole rotation."""

    async def told(step: Callable[[MeshConfiguration], Awaitable[Any]], *, late: bool) -> None:
        api_server.kills, api_server.late = 0, late
        try:
            await step(MESH)
        except CeremonyLost as lost:
            assert "by signal 9" in str(lost)  # noqa: PT017 - that it is killed is not what is tested

    while not api_server.found(f"{SECRETS}/proa-ca"):
        await told(ceremony.create, late=False)
        await told(ceremony.create, late=True)
    first = stored_material(api_server.found(f"{SECRETS}/proa-ca"))
    assert api_server.killed == 4
    await publish(api_server)
    await wish(api_server, Start())
    for _ in range(12):
        await told(ceremony.rotate, late=False)
        await told(ceremony.rotate, late=True)
        await publish(api_server)
        clock.advance(9 * HOUR)
    api_server.kills = -1
    assert (await ceremony.rotate(MESH)).phase == "resting"
    last = stored_material(api_server.found(f"{SECRETS}/proa-ca"))
    assert len(last.roots) == 1
    assert last.root != first.root
    assert root_certificates(api_server.found(f"{SECRETS}/proa-ca-root")) == last.roots
    assert api_server.killed >= 4 + 2 * 6


@pytest.mark.parametrize(("status", "reason"), [(429, "TooManyRequests"), (500, "InternalError"), (409, "Conflict")])
async def test_what_the_api_server_refuses_is_told_as_it_was_said_and_tried_again(
    api_server: Watched, ceremony: Ceremony, status: int, reason: str
) -> None:
    api_server.ceremonial = (status, reason)
    with pytest.raises(CeremonyFailed, match=rf"as the test wants it \({status} {reason} to GET") as failed:
        await ceremony.create(MESH)
    assert (failed.value.cause, failed.value.fields["status"]) == (
        "api_conflict" if status == 409 else "api_refused",
        status,
    )
    looked = await ceremony.rotate(MESH)
    assert looked.pause == timedelta(seconds=30)
    assert [each.reason for each in looked.told] == ([] if status == 409 else ["RotationFailed"])
    api_server.ceremonial = None
    await ceremony.create(MESH)


async def test_a_secret_of_the_root_that_does_not_fit_is_told_field_by_field_and_stays(
    api_server: Watched, ceremony: Ceremony
) -> None:
    await api_server.put(f"{SECRETS}/proa-ca-root", data={"tls.crt": "eA=="})
    with pytest.raises(CeremonyFailed, match="the Secret proa-ca-root is not usable") as failed:
        await ceremony.create(MESH)
    assert failed.value.lasting
    assert [each["field"] for each in failed.value.fields["problems"]] == ["data.tls.crt", "data.tls.key"]


async def test_who_is_cut_short_leaves_no_process(api_server: Watched, ceremony: Ceremony) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.sleep(3600)

    api_server.meanwhile = hang
    asking = asyncio.create_task(ceremony.create(MESH))
    await begun.wait()
    assert len(ceremonies()) == 1
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert ceremonies() == []


async def test_nothing_secret_is_in_its_arguments_its_environment_or_what_it_says(
    api_server: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Any, capfd: Any
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig_of(CHILD, tmp_path)))
    seen, answers = list[bytes](), list[bytes]()

    async def look() -> None:
        (process,) = ceremonies()
        arguments, environment, limits = (of_process(process, name) for name in ("cmdline", "environ", "limits"))
        seen.extend((arguments, environment))
        assert re.search(rb"Max core file size +0 +0 ", limits)

    async def held(asked: bytes) -> bytes:
        api_server.meanwhile = look
        answers.append(asked + await child.held(asked))
        return answers[-1][len(asked) :]

    ceremony = Ceremony(held, clock)
    await ceremony.create(MESH)
    await ceremony.renew(MESH)
    await wish(api_server, Start())
    assert (await ceremony.rotate(MESH)).phase == "announced"
    told = b"".join((*seen, *answers, *(each.encode() for each in capfd.readouterr())))
    keys = [value for each in api_server.objects("secrets") for name, value in each["data"].items() if "key" in name]
    assert len(keys) == 3
    for key in keys:
        text = b64decode(key)
        assert not [line for line in text.splitlines()[1:-1] if line in told]
        assert key.encode() not in told
    assert b"PRIVATE" not in told
    assert b"announced" in told


SHELL = ("sh", "-c")


@pytest.mark.parametrize(
    ("script", "seconds", "words"),
    [
        ("exec sleep 3600", 0.3, "did not end within 0.3 s"),
        ("cat >/dev/null; exec yes", 60, f"answered {LONGEST} bytes or more"),
        ("cat >/dev/null; echo '{}'; exit 3", 60, "ended with status 3"),
        ("kill -SEGV $$", 60, "ended by signal 11"),
        ("exec 0<&- 1>&-; exec sleep 3600", 0.3, "did not end within 0.3 s"),
    ],
)
@pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_process_that_does_not_do_its_part_is_ended_and_told_of(
    loops: Any, script: str, seconds: float, words: str
) -> None:
    others = children()
    for _ in range(3):
        with pytest.raises(CeremonyLost, match=words), asyncio.Runner(loop_factory=loops) as runner:
            runner.run(child.held(b"{}" * 100_000, (*SHELL, script), seconds))
        assert set(children()) <= set(others)


async def test_where_it_cannot_begin_it_says_so_in_the_log_and_by_its_status(
    api_server: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig(tmp_path)))
    with pytest.raises(CeremonyLost, match="ended with status 1 before it was done: its log says why"):
        await child.held(b"what nobody asks")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(CeremonyLost, match="ended with status 2"):
        await child.held(msgspec.json.encode(Asked(Step.CREATE, MESH, system_clock())))
    first, second = map(json.loads, capfd.readouterr().err.splitlines())
    assert (first["level"], second["event"]) == ("error", "not usable")
    assert api_server.asked == []


async def test_a_process_that_cannot_be_started_is_told_of() -> None:
    with pytest.raises(CeremonyLost, match="cannot be started"):
        await child.held(b"{}", ("/nowhere/python",))


@pytest.mark.parametrize("answer", [b"", b"{}", b"\xff", b'{"type":"done","result":{"phase":1}}', b"[" * 100_000])
def test_what_is_no_answer_is_none(answer: bytes) -> None:
    with pytest.raises(CeremonyLost, match="no answer"):
        result_of(answer, Looked)


def test_an_error_arrives_with_its_code_and_its_fields() -> None:
    problem = Refused("the Secret", (Invalid("data.tls.key", "nothing", "a key"),))
    for error in (problem, Conflict(409, "Conflict", "somebody was faster", "PUT x", 1.5)):
        with pytest.raises(CeremonyFailed) as failed:
            result_of(declined(error), Looked)
        assert (failed.value.cause, str(failed.value)) == (error.code, str(error))
        assert failed.value.fields == json.loads(json.dumps(dataclasses.asdict(error)))


def test_a_result_arrives_as_it_was() -> None:
    looked = Looked("settling", timedelta(days=2737, microseconds=7), (Told("Warning", "RotationDeclined", "so"),))
    assert result_of(done(looked), Looked) == looked
    assert result_of(done(None), type(None)) is None


def test_an_error_that_is_too_long_for_an_answer_is_told_in_part() -> None:
    problems = tuple(Invalid("field", "\x01" * 3000, f"something else, {number}") for number in range(100))
    answer = declined(Refused("the mesh configuration", problems))
    assert len(answer) < LONGEST
    with pytest.raises(CeremonyFailed, match="is not usable") as failed:
        result_of(answer, Looked)
    assert (failed.value.cause, failed.value.lasting) == (Refused.code, True)
    assert str(failed.value).endswith("(cut: there is more)")


def test_its_memory_is_for_no_core_dump_and_for_no_other_process_of_its_user() -> None:
    told = "import ctypes; from ca.ceremony.__main__ import keep_memory; get = ctypes.CDLL(None).prctl"
    done = subprocess.run(
        [sys.executable, "-c", f"{told}; before = get(3); keep_memory(); print(before, get(3))"],  # PR_GET_DUMPABLE
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1 0\n"
