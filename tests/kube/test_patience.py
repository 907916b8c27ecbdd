"""What an API server puts off is asked again when it says, and everything else is told at once."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kube.client import Connection, connected
from kube.failures import ApiRefused
from kube.patience import Patient
from kube.resources import NAMESPACES
from support.api_server import ApiServer

STORAGE = (429, "TooManyRequests", {"Retry-After": "1"})
"""As an API server answers for a kind whose definition it was just given."""


@dataclass
class Hours:
    """Time, which passes where somebody pauses; the API server is ready after so many pauses."""

    api: ApiServer
    ready_after: int
    pauses: list[float] = field(default_factory=list)

    def through(self, connection: Connection) -> Connection:
        return Patient(connection, self.pause)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == self.ready_after:
            self.api.refusing = None

    async def names(self, directory: Path) -> list[str]:
        async with connected(self.api.kubeconfig(directory), through=self.through) as client:
            return [str(each["kind"]) for each in await client.list(NAMESPACES)]


async def test_what_is_put_off_is_asked_again_after_as_long_as_is_said(api_server: ApiServer, tmp_path: Path) -> None:
    await api_server.put("/api/v1/namespaces/one")
    api_server.refusing = STORAGE
    hours = Hours(api_server, ready_after=3)
    assert await hours.names(tmp_path) == ["Namespace"]
    assert hours.pauses == [1, 1, 1]


async def test_whoever_is_always_put_off_is_told_in_the_end(api_server: ApiServer, tmp_path: Path) -> None:
    api_server.refusing = STORAGE
    hours = Hours(api_server, ready_after=100)
    with pytest.raises(ApiRefused) as found:
        await hours.names(tmp_path)
    assert (found.value.status, len(hours.pauses), len(api_server.requests)) == (429, 9, 10)


async def test_nobody_waits_longer_than_a_minute_at_a_time(api_server: ApiServer, tmp_path: Path) -> None:
    api_server.refusing = (429, "TooManyRequests", {"Retry-After": "86400"})
    hours = Hours(api_server, ready_after=1)
    await hours.names(tmp_path)
    assert hours.pauses == [60]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((429, "TooManyRequests", {}), id="too many, and nothing is said of later"),
        # It may have been done: an API server whose answer was lost says so as well.
        pytest.param((504, "Timeout", {"Retry-After": "1"}), id="a timeout"),
        pytest.param((500, "InternalError", {"Retry-After": "1"}), id="an error"),
        pytest.param((403, "Forbidden", {}), id="a refusal"),
    ],
)
async def test_any_other_answer_stands(
    answer: tuple[int, str, dict[str, str]], api_server: ApiServer, tmp_path: Path
) -> None:
    api_server.refusing = answer
    hours = Hours(api_server, ready_after=1)
    with pytest.raises(ApiRefused) as found:
        await hours.names(tmp_path)
    assert (found.value.status, hours.pauses, len(api_server.requests)) == (answer[0], [], 1)
