from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.containers import LogLevel
from proa.quantity import amount
from webhook.kinds import (
    BOOLEAN,
    COMPONENT_LEVELS,
    IMAGE_REFERENCE,
    NONE,
    PLACE,
    QUANTITY,
    After,
    Before,
    First,
    Kind,
    Last,
    choice,
    number,
    seconds,
)
from webhook.vocabulary import SETTINGS

REFUSED = (ValueError, KeyError)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (QUANTITY, "500m", "500m"),
        (QUANTITY, "1.5Gi", "1.5Gi"),
        (QUANTITY, "none", NONE),
        (BOOLEAN, "true", True),
        (BOOLEAN, "false", False),
        (IMAGE_REFERENCE, "localhost:5000/envoy@sha256:0a", "localhost:5000/envoy@sha256:0a"),
        (COMPONENT_LEVELS, "upstream:debug,config:warn", "upstream:debug,config:warn"),
        (PLACE, "first", First()),
        (PLACE, "last", Last()),
        (PLACE, "before:migrate", Before("migrate")),
        (PLACE, "after:migrate-2", After("migrate-2")),
        (number(1, 256), "256", 256),
        (seconds(0, 3600), "0", 0),
        (seconds(0, 3600), "45", 45),
        (seconds(0, 3600), "45s", 45),
        (seconds(0, 3600), "1m30s", 90),
        (seconds(0, 3600), "1h", 3600),
        (choice(LogLevel), "debug", LogLevel.DEBUG),
    ],
)
def test_a_value_is_read_as_its_kind(kind: Kind[Any], text: str, value: object) -> None:
    assert kind.read(text) == value
    assert type(kind.read(text)) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((QUANTITY, text) for text in ("", "-1", "1 Gi", "1e3", "None", "500m\n", "1\nlimits: x")),
        *((BOOLEAN, text) for text in ("", "True", "yes", "1")),
        *((IMAGE_REFERENCE, text) for text in ("", "-x", "a b", "a\nb", "x" * 600)),
        *((COMPONENT_LEVELS, text) for text in ("", "upstream", "a:loud", "a:debug,", ",".join(["a:info"] * 300))),
        *((PLACE, text) for text in ("", "second", "first:x", "before", "before:", "after:A_B", "beside:x")),
        *((number(1, 256), text) for text in ("", "0", "257", "+1", "1.0", "\uff11", "9" * 5000)),
        *(
            (seconds(1, 60), text)
            for text in ("", "0", "61", "1m1s", "s", "-1s", "1.5s", "5 s", "1s1m", "1d", "\u0663")
        ),
        *((choice(LogLevel), text) for text in ("", "DEBUG", "loud")),
    ],
)
def test_what_is_no_value_is_refused(kind: Kind[Any], text: str) -> None:
    with pytest.raises(REFUSED):
        kind.read(text)


@given(st.text())
def test_any_text_is_a_value_or_refused_and_never_anything_else(text: str) -> None:
    for setting in SETTINGS:
        try:
            setting.kind.read(text)
        except REFUSED:
            continue


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_duration_is_its_parts_together(hours: int, minutes: int, rest: int) -> None:
    assert seconds(0, 86400).read(f"{hours}h{minutes}m{rest}s") == hours * 3600 + minutes * 60 + rest


@given(st.text(alphabet="0123456789.mkMGi", min_size=1, max_size=8))
def test_a_quantity_that_is_read_is_one_that_can_be_compared(text: str) -> None:
    try:
        read = QUANTITY.read(text)
    except REFUSED:
        return
    assert amount(read) >= 0
