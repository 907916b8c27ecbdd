"""How each pod stands, as far as the agent knows since it started. The rules are in the pods' namespaces. Pure."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from node.pods import Pod
from node.standing import Standing, remaining


class Ledger:
    """By the pods' UIDs."""

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}
        self._era = 0

    @property
    def standings(self) -> Mapping[str, Standing]:
        return MappingProxyType(self._standings)

    @property
    def era(self) -> int:
        """Another one each time that all was forgotten: what was seen before that may be of a sandbox that is gone."""
        return self._era

    def note(self, uid: str, standing: Standing) -> None:
        self._standings[uid] = standing

    def forget(self, uid: str) -> None:
        """Its network is gone: the next one is another."""
        self._standings.pop(uid, None)

    def forget_all(self) -> None:
        """Nobody told of what happened meanwhile."""
        self._standings.clear()
        self._era += 1

    def keep(self, pods: Iterable[Pod]) -> None:
        """Forget all others."""
        self._standings = remaining(self._standings, pods)
