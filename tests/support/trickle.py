"""Pods that are created without a pause while something is changed: none of them may be missed or refused."""

import json
import threading
from typing import Any, Self

from proa import names
from support.kubectl import Failed, Kubectl, eventually, pod, pod_spec

GATED = {"schedulingGates": [{"name": "proa.dev/never"}]}
"""What matters is the admission: such a pod is stored and never started."""
LABEL = "trickle"
SOME = 8


class Trickle:
    """Creates pods, *at_once* with each call of kubectl, until it is told to end. *refused* holds what was said."""

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

    def some_more(self, number: int = SOME) -> None:
        """Wait until that many were created from now on."""
        goal = self.created + number
        eventually(lambda: self.created >= goal, "more pods", 120)

    def pods(self) -> list[dict[str, Any]]:
        """What became of them, in their order."""
        found = self._inside.json("pods", f"--selector=app={LABEL}")
        return sorted(found, key=lambda each: int(each["metadata"]["name"].removeprefix("pod-")))

    def clear(self) -> None:
        self._inside("delete", "pods", f"--selector=app={LABEL}", "--now")

    def _create(self) -> None:
        while not self._stop.is_set():
            numbers = range(self.created, self.created + self._at_once)
            pods = (pod(f"pod-{number}", pod_spec("true", **GATED), labels={"app": LABEL}) for number in numbers)
            try:
                self._inside.create(*pods)
            except Failed as failed:
                self.refused.append(failed.output)
            self.created += self._at_once


def recorded(found: dict[str, Any]) -> dict[str, Any]:
    """What stands in an injected pod about its injection."""
    status: dict[str, Any] = json.loads(found["metadata"]["annotations"][names.STATUS])
    return status
