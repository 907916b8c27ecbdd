"""Files that change all at once, as a reader beside the writer sees them."""

import stat
import threading
from pathlib import Path

import pytest

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
