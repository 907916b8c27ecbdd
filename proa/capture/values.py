"""Frozen values, declared like dataclasses. Pure.

`dataclasses` imports inspect and compiles text for each class: 20 ms in all, where the whole of proa-init has 30
and runs before every pod. `typing`, `re`, `enum` and `argparse` are left out of this package for the same reason.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, dataclass_transform
else:

    def dataclass_transform(**_):
        return lambda kind: kind


@dataclass_transform(frozen_default=True)
class Value:
    """Equal by type and fields, hashable, never changed. A subclass names its fields as annotations, with defaults.

    `__post_init__` is the place to refuse; wrong arguments are a TypeError, as in any call.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        fields = tuple(vars(cls).get("__annotations__", ()))
        # Not by plain assignment: mypy takes __match_args__ for a constant.
        type.__setattr__(cls, "__match_args__", fields)

    def __init__(self, *given: object, **named: object) -> None:
        fields = self.__match_args__
        defaults = {field: getattr(self, field) for field in fields if hasattr(type(self), field)}
        positional = dict(zip(fields, given, strict=False))
        values = defaults | positional | named
        if len(given) > len(fields) or positional.keys() & named.keys() or values.keys() != set(fields):
            raise TypeError(f"{type(self).__name__} takes {', '.join(fields) or 'nothing'}")
        vars(self).update(values)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Nothing to refuse."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, field) for field in self.__match_args__)))

    def __repr__(self) -> str:
        fields = ", ".join(f"{field}={getattr(self, field)!r}" for field in self.__match_args__)
        return f"{type(self).__name__}({fields})"
