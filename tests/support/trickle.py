"""Pods that are created for as long as something else is changed."""

import threading
from typing import Final, Self

from support.kubectl import Failed, Kubectl, eventually, pod, pod_spec

_GATED: Final = {"schedulingGates": [{"name": "proa.dev/never"}]}
"""What matters is the admission: such a pod is stored and never started."""
_SPARE: Final = 20
"""Pods that are created after each step, at least."""


class Trickle:
    """Creates pods, *at_once* with each call of kubectl, until it is told to end."""

    def __init__(self, inside: Kubectl, at_once: int = 1) -> None:
        self._inside, self._at_once = inside, at_once
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._create)
        self.created = 0
        self.refused: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def some_more(self) -> None:
        self.reach(self.created + _SPARE)

    def reach(self, goal: int) -> None:
        """Wait until so many are created."""
        eventually(lambda: self.created >= goal, f"{goal} pods", 120)

    def _create(self) -> None:
        while not self._stop.is_set():
            numbers = range(self.created, self.created + self._at_once)
            try:
                self._inside.create(*(pod(f"pod-{number}", pod_spec("true", **_GATED)) for number in numbers))
            except Failed as failed:
                self.refused.append(failed.output)
            self.created += self._at_once
