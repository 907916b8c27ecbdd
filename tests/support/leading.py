"""A leader beside a command under test: in a thread, as commands run loops of their own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def led(asked: Callable[[], object], look: Callable[[], object]) -> Iterator[None]:
    """*look* as soon as something is *asked*, again and again."""
    over = threading.Event()

    def lead() -> None:
        while not over.wait(0.02):
            if asked():
                look()

    thread = threading.Thread(target=lead)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
