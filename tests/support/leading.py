"""A leader beside a command under test: in a thread, as commands run loops of their own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager


@contextmanager
def led(
    turn: AbstractContextManager[object], asked: Callable[[], object], look: Callable[[], object]
) -> Iterator[None]:
    """*look* as soon as something is *asked*, again and again. In a *turn* of the store's (`support.etcd`): a command
    never finds a leader in the middle of what it writes, which on a busy machine takes a while."""
    over = threading.Event()

    def lead() -> None:
        while not over.wait(0.02):
            with turn:
                if asked():
                    look()

    thread = threading.Thread(target=lead)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
