"""How long to wait before the next attempt: longer each time, never the same for two of us. Pure."""

from typing import Final

from kube.failures import ApiRefused

FIRST_SECONDS: Final = 0.5
MOST_SECONDS: Final = 30.0
LONGEST_ASKED: Final = 60.0


def delay(attempt: int, chance: float) -> float:
    """Seconds before the next try after *attempt* failures in a row: half to all of 0.5, 1, 2 … 30.

    *chance*, from [0, 1), spreads those that failed at the same moment, as all do when an API server restarts.
    """
    # The exponent is bounded: after a night of failures 2**attempt would be a number of thousands of digits.
    return min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt, 16)) * (1 + chance) / 2


def wait(error: BaseException | None, attempt: int, chance: float) -> float:
    """As `delay`, and at least as long as the API server asks for (Retry-After), up to a minute; up to a quarter more,
    as it asks everybody for the same."""
    asked = error.retry_after if isinstance(error, ApiRefused) else None
    return max(delay(attempt, chance), min(asked or 0.0, LONGEST_ASKED) * (1 + chance / 4))
