"""nft within this process: libnftables by ctypes, which spares a pod the start of two programs. Shell.

libnftables(3) of version 1 of its interface; what `nft` itself is made of, so language and answers are the same.
"""

from __future__ import annotations

import ctypes

from init.netlink_socket import NETFILTER, opened
from init.programs import Answer
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_NAME: Final = "libnftables.so.1"
_STATELESS: Final = 1 << 2
_NUMERIC_PRIORITY: Final = 1 << 8
"""NFT_CTX_OUTPUT_* (nftables/libnftables.h)."""


class Library(Value):
    """Loaded once. Each script has a context, and so a socket, of its own: it is of the namespace it is made in."""

    functions: ctypes.CDLL

    def told(self, script: str) -> Answer:
        return self._run(script, 0)

    def listed(self, what: str) -> Answer:
        return self._run(f"list {what}", _STATELESS | _NUMERIC_PRIORITY)

    def _run(self, script: str, flags: int) -> Answer:
        nft = self.functions
        context = nft.nft_ctx_new(0)
        try:
            nft.nft_ctx_buffer_output(context)
            nft.nft_ctx_buffer_error(context)
            nft.nft_ctx_output_set_flags(context, flags)
            status = nft.nft_run_cmd_from_buffer(context, script.encode())
            output, complaint = nft.nft_ctx_get_output_buffer(context), nft.nft_ctx_get_error_buffer(context)
            return Answer(status, output.decode(errors="replace"), complaint.decode(errors="replace"))
        finally:
            nft.nft_ctx_free(context)


def library() -> Library | None:
    """None where the system has none, or it would end this process: then nft is started as a program, if it is there.

    Where the kernel gives it no socket, libnftables prints why and calls exit(3).
    """
    try:
        opened(NETFILTER).close()
        return _declared(ctypes.CDLL(_NAME))
    except OSError:
        return None


def _declared(functions: ctypes.CDLL) -> Library:
    functions.nft_ctx_new.restype = ctypes.c_void_p
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
        getattr(functions, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(functions, name).argtypes = [ctypes.c_void_p]
        getattr(functions, name).restype = ctypes.c_char_p
    functions.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    functions.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    return Library(functions)
