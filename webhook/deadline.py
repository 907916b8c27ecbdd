"""How long an answer is of use: what the API server says of its patience in a call's URL. Pure.

client-go appends `?timeout=5s` to each call (rest.Request.Timeout), the webhook's timeoutSeconds or what is left of the
request's own deadline, whichever is shorter, rounded up to a second (apiserver's callAttrMutatingHook).
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from proa.errors import Invalid, shown

DEFAULT_SECONDS: Final = 10.0
"""Of timeoutSeconds in admissionregistration.k8s.io/v1: for who says nothing."""
_LONGEST_SECONDS: Final = 30.0
"""Of timeoutSeconds there: who says more waits no longer."""
_TIMEOUT: Final = re.compile(r"(?:^|&)timeout=([^&]*)")
_DURATION: Final = re.compile(r"(?=.)(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?", re.ASCII)
_MILLISECONDS: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)ms", re.ASCII)
_SCALE: Final = (3600.0, 60.0, 1.0)


@lru_cache(maxsize=64)
def patience(query: str) -> float:
    """Seconds that the caller waits, by its URL's *query* as it was sent. Raises Invalid for what is no duration."""
    said = _TIMEOUT.search(query)
    if said is None:
        return DEFAULT_SECONDS
    seconds = _seconds(unquote(said[1]))
    if not seconds:
        raise Invalid("timeout", shown(unquote(said[1])), "a duration as Go writes it, such as 5s")
    return min(seconds, _LONGEST_SECONDS)


def _seconds(duration: str) -> float:
    """A time.Duration as its String method writes it, nothing for what is none."""
    if short := _MILLISECONDS.fullmatch(duration):
        return float(short[1]) / 1000
    found = _DURATION.fullmatch(duration)
    parts = found.groups() if found else ()
    return sum(float(part or 0) * scale for part, scale in zip(parts, _SCALE, strict=False))
