"""Where a connection arrives, as the one who dials is given a processor late."""

import subprocess
import sys

PROGRAM = """
import os, socket
from init import proving
from init.fate import First, Sender

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    me = Sender(os.getuid(), os.getgid())
    proving._PATIENCE = 0.0
    first = First("udp", "127.0.0.1", "127.0.0.1", port, "lo", me)
    for _ in range(20):
        print(proving.seen(first, [listener])[0] == proving.Captured(port))
"""
"""By a process of its own, which has one thread: it forks."""


def test_whoever_has_not_dialled_yet_is_waited_for() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True\n" * 20
