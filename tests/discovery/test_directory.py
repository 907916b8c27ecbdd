"""Files that change all at once, as a reader beside the writer sees them."""

import os
import stat
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.directory import publish


def content(directory: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in directory.iterdir() if not entry.name.startswith("..")}


def test_what_was_published_is_the_whole_content(tmp_path: Path) -> None:
    publish(tmp_path / "volume", {"a": b"1", "b": b"2"})
    assert content(tmp_path / "volume") == {"a": b"1", "b": b"2"}
    publish(tmp_path / "volume", {"b": b"3", "c": b"4"})
    assert content(tmp_path / "volume") == {"b": b"3", "c": b"4"}


def test_no_generation_stays_but_the_last(tmp_path: Path) -> None:
    for generation in range(5):
        publish(tmp_path, {"a": str(generation).encode()})
    hidden = [entry for entry in tmp_path.iterdir() if entry.is_dir() and not entry.is_symlink()]
    assert len(hidden) == 1
    assert (tmp_path / "..data").readlink() == Path(hidden[0].name)


def test_a_reader_never_sees_two_generations_at_once(tmp_path: Path) -> None:
    publish(tmp_path, {"one": b"0", "two": b"0"})
    torn: list[tuple[bytes, bytes]] = []
    stopping = threading.Event()

    def read() -> None:
        # One look-up of `..data`, as whoever opens the directory once has it.
        while not stopping.is_set():
            try:
                generation = (tmp_path / "..data").resolve(strict=True)
                pair = (generation / "one").read_bytes(), (generation / "two").read_bytes()
            except FileNotFoundError:
                continue
            if pair[0] != pair[1]:
                torn.append(pair)

    reader = threading.Thread(target=read)
    reader.start()
    for generation in range(200):
        publish(tmp_path, {"one": str(generation).encode(), "two": str(generation).encode()})
    stopping.set()
    reader.join()
    assert torn == []


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_files_have_the_mode_that_was_asked_for(tmp_path: Path, mode: int) -> None:
    publish(tmp_path, {"key": b"secret"}, mode=mode)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == mode


def test_what_a_writer_that_died_left_does_no_harm(tmp_path: Path) -> None:
    publish(tmp_path, {"a": b"1"})
    (tmp_path / "..half").mkdir()
    (tmp_path / "..data_tmp").symlink_to("..half")
    assert content(tmp_path) == {"a": b"1"}, "the old set is whole"
    publish(tmp_path, {"a": b"2"})
    assert content(tmp_path) == {"a": b"2"}
    assert sorted(entry.name for entry in tmp_path.iterdir() if not entry.is_symlink()) == [
        (tmp_path / "..data").readlink().name
    ]


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_the_processes_umask_has_no_say(tmp_path: Path, umask: int) -> None:
    former = os.umask(umask)
    try:
        publish(tmp_path / "volume", {"key": b"secret"}, mode=0o640)
    finally:
        os.umask(former)
    assert stat.S_IMODE((tmp_path / "volume" / "key").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "volume" / "..data").stat().st_mode) == 0o755


def test_without_an_owner_files_are_the_writers_own(tmp_path: Path) -> None:
    publish(tmp_path, {"key": b"secret"})
    assert (tmp_path / "key").stat().st_uid == os.geteuid()


@pytest.mark.netns
def test_files_belong_to_whom_they_are_for(tmp_path: Path) -> None:
    """Needs root, like the tests of the kernel."""
    publish(tmp_path, {"key": b"secret"}, mode=0o600, owner=1337)
    found = (tmp_path / "key").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1337, 1337, 0o600)


def test_an_empty_set_is_a_set(tmp_path: Path) -> None:
    publish(tmp_path, {"a": b"1"})
    publish(tmp_path, {})
    assert content(tmp_path) == {}


@settings(max_examples=50)  # each is several rounds of real files
@given(st.lists(st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=3)), max_size=5))
def test_after_any_history_the_last_set_is_there_and_nothing_else(history: list[dict[str, bytes]]) -> None:
    with TemporaryDirectory() as temporary:
        for files in history:
            publish(Path(temporary), files)
            assert content(Path(temporary)) == files
            assert len(list(Path(temporary).iterdir())) == len(files) + 2
