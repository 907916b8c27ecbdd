"""What goes through the agent's socket: a plugin's question and its answer. Pure. The other end is cni/proa-cni.c."""

from typing import Final

from node.cni import UNDECODABLE, CniRefused

LONGEST: Final = 2 * 2**20
"""Bytes of a question: variables and a configuration, a megabyte each."""


def question(received: bytes) -> tuple[dict[str, str], bytes]:
    """The variables, and the configuration. Each variable ends with a NUL, all of them with one more.

    Raises CniRefused.
    """
    head, ended, configuration = (b"\0" + received).partition(b"\0\0")
    if not ended:
        raise CniRefused(UNDECODABLE, "the question is not whole")
    words = (each.decode(errors="replace").partition("=") for each in head.split(b"\0") if each)
    return {name: value for name, _, value in words}, configuration


def answer(status: int, text: bytes = b"") -> bytes:
    """The plugin's exit status and what it prints. The NUL says that it is whole."""
    return bytes((status,)) + text + b"\0"
