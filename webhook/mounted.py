"""Follows the mesh configuration in a mounted file, for a process that may read no ConfigMap. Shell.

As kube.configuration: the last good one stays in force while the newest cannot be used. The file is read anew every few
seconds, by its path, so that a link which is swapped (the kubelet's `..data`) shows either the old document or the new.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from kube.configuration import validity
from kube.configured import Configured
from proa.digest import digest
from proa.errors import Invalid, ProaError
from proa.mesh import LARGEST, MeshConfiguration
from webhook.serving import waited
from webhook.trial import tried_configuration

REREAD_SECONDS: Final = 3.0


class MountedConfiguration:
    """The configuration in *file*, as it is now, or as it was when it last could be used."""

    def __init__(self, file: Path, registry: CollectorRegistry) -> None:
        self._file = file
        self._read: bytes = b""
        self._state = Configured()
        self._valid = validity(registry)

    @property
    def current(self) -> MeshConfiguration | None:
        return self._state.current

    @property
    def problem(self) -> ProaError | None:
        """Why the newest is not in force."""
        return self._state.problem

    async def service(self, stopping: asyncio.Event) -> None:
        """A `proa.running.Service`: rereads until it is stopped."""
        while not stopping.is_set():
            self.reread()
            await waited(stopping, REREAD_SECONDS)

    def reread(self) -> None:
        try:
            document = _document(self._file)
            if document == self._read and self._state.problem is None and self._state.current is not None:
                return
            self._read = document
            self._state = Configured(tried_configuration(document.decode()), digest(document))
        except (ProaError, UnicodeDecodeError) as error:
            self._keep(error if isinstance(error, ProaError) else Invalid(str(self._file), str(error), "UTF-8"))
            return
        self._valid.set(1)
        structlog.get_logger("configuration").info(
            "configuration in force", file=str(self._file), document=self._state.document
        )

    def _keep(self, problem: ProaError) -> None:
        if str(problem) != str(self._state.problem):
            structlog.get_logger("configuration").error(
                "configuration not usable", file=str(self._file), error=str(problem), code=problem.code
            )
        self._state = replace(self._state, problem=problem)
        self._valid.set(0)


def _document(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            document = opened.read(LARGEST + 1)
    except OSError as error:
        raise Invalid(str(file), error.strerror or type(error).__name__, "a file that can be read") from error
    if len(document) > LARGEST:
        raise Invalid(str(file), f"more than {LARGEST} bytes", f"at most {LARGEST}")
    return document
