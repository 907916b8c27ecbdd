import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from proa.digest import digest
from proa.mesh import LARGEST, PeerTls
from support.roots import Volume
from webhook.mounted import MountedConfiguration

BAD_TEMPLATE = b"templates: {bad: {spec: {containers: [{name: '*', ports: [{containerPort: 15001}]}]}}}"
STRICT, PERMISSIVE = b"peerTls: strict\n", b"peerTls: permissive\n"


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def mounted(volume: Volume, registry: CollectorRegistry) -> MountedConfiguration:
    return MountedConfiguration(volume.path / "mesh.yaml", registry)


def valid(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("proa_configuration_valid")


def test_a_swapped_volume_puts_its_document_in_force(
    mounted: MountedConfiguration, volume: Volume, registry: CollectorRegistry
) -> None:
    for document, wanted in ((STRICT, PeerTls.STRICT), (PERMISSIVE, PeerTls.PERMISSIVE)):
        volume.write(mesh__yaml=document)
        with capture_logs() as lines:
            mounted.reread()
        assert [line["document"] for line in lines] == [digest(document)]
        assert mounted.current is not None
        assert (mounted.current.peer_tls, mounted.problem, valid(registry)) == (wanted, None, 1)


def test_what_has_not_changed_stays_the_same_object(mounted: MountedConfiguration, volume: Volume) -> None:
    volume.write(mesh__yaml=STRICT)
    mounted.reread()
    before = mounted.current
    volume.write(mesh__yaml=STRICT)
    mounted.reread()
    assert mounted.current is before


@pytest.mark.parametrize("broken", [b"peerTls: maybe\n", BAD_TEMPLATE, b"\xff", b"a: [", b"#" * (LARGEST + 1), None])
def test_what_cannot_be_used_leaves_the_last_good_in_force_and_says_so_once(
    mounted: MountedConfiguration, volume: Volume, registry: CollectorRegistry, broken: bytes | None
) -> None:
    volume.write(mesh__yaml=STRICT)
    mounted.reread()
    volume.write(**({} if broken is None else {"mesh__yaml": broken}))
    with capture_logs() as lines:
        mounted.reread()
        mounted.reread()
    assert [line["log_level"] for line in lines] == ["error"]
    assert mounted.current is not None
    assert mounted.current.peer_tls is PeerTls.STRICT
    assert mounted.problem is not None
    assert valid(registry) == 0
    volume.write(mesh__yaml=STRICT)
    mounted.reread()
    assert (mounted.problem, valid(registry)) == (None, 1)


def test_without_a_file_there_is_none_and_the_path_is_named(mounted: MountedConfiguration) -> None:
    mounted.reread()
    assert mounted.current is None
    assert "mesh.yaml: found No such file" in str(mounted.problem)


async def test_it_rereads_until_it_is_stopped(
    mounted: MountedConfiguration, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.mounted.REREAD_SECONDS", 0.01)
    stopping = asyncio.Event()
    task = asyncio.create_task(mounted.service(stopping))
    await asyncio.sleep(0)
    volume.write(mesh__yaml=STRICT)
    async with asyncio.timeout(5):
        while mounted.current is None:  # noqa: ASYNC110 - there is nothing to be told by
            await asyncio.sleep(0.01)
    stopping.set()
    await asyncio.wait_for(task, 5)
