"""Several renderings of one thing as one template: what they share once, what differs by the choice it hangs on. Pure.

This is how the Helm chart comes from the same source as everything else: the objects are made for every combination of
choices, and the conditions are read off, not written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final, TypeAlias, cast

from installation.noted import Noted, Tree
from installation.render.yaml_text import Template, When


@dataclass(frozen=True, slots=True)
class Axis:
    """A choice: its name and its *values*, each with the template's condition that it was taken.

    Some are *narrower* than another one, whose condition holds wherever theirs does.
    """

    name: str
    values: Mapping[str, str]
    narrower: Mapping[str, str] = field(default_factory=dict[str, str])


UNTOLD: Final = "false"
"""The condition of a choice that is what there is where none of the others holds."""
Variant: TypeAlias = tuple[str, ...]
"""A value of each axis."""
Values: TypeAlias = Mapping[Variant, Template]
"""What stands in one place, by variant; nothing where a variant is missing."""
Texts: TypeAlias = Callable[[Mapping[Variant, str]], "str | None"]
"""One text that stands for differing ones, or None if none does."""


@dataclass(frozen=True, slots=True)
class Merging:
    """How to merge: along which *axes*, and what to make of *texts* that differ."""

    axes: tuple[Axis, ...]
    texts: Texts

    def variants(self) -> list[Variant]:
        return list(product(*(axis.values for axis in self.axes)))

    def presence(self, present: Iterable[Variant], among: Iterable[Variant]) -> str:
        """The condition under which, of the variants *among*, those in *present* hold; empty for always.

        Raises ValueError if it is no conjunction of choices of single axes.
        """
        kept, everything = set(present), set(among)
        conditions: list[str] = []
        for number, axis in enumerate(self.axes):
            here, there = ({variant[number] for variant in each} for each in (kept, everything))
            if here != there:
                conditions.append(_one_of(axis, here, there))
                everything = {variant for variant in everything if variant[number] in here}
        if kept != everything:
            raise ValueError(f"no conjunction of choices: {sorted(kept)}")
        return conditions[0] if len(conditions) == 1 else _joined("and", conditions)

    def merged(self, values: Values) -> Template:
        """One template for all of *values*, of which there is at least one."""
        alternatives = list(values.values())
        first = alternatives[0]
        if all(each == first for each in alternatives):
            return first
        for attempt in (self._notes, self._mappings, self._sequences, self._strings):
            found = attempt(values)
            if found is not None:
                return found
        return self._chosen(values)

    def _notes(self, values: Values) -> Template:
        noted = {variant: each for variant, each in values.items() if isinstance(each, Noted)}
        notes = {each.note for each in noted.values()}
        if len(noted) < len(values) or len(notes) > 1:
            return None
        inner: Values = {variant: each.value for variant, each in noted.items()}
        # What is noted in a template may differ by case, too.
        return Noted(notes.pop(), cast("Tree", self.merged(inner)))

    def _mappings(self, values: Values) -> Template:
        mappings = {variant: each for variant, each in values.items() if isinstance(each, Mapping)}
        if len(mappings) < len(values) or not all(mappings.values()):
            return None
        keys = dict.fromkeys(key for each in mappings.values() for key in each)
        members = {
            key: self._member({variant: each[key] for variant, each in mappings.items() if key in each}, mappings)
            for key in keys
        }
        # What always stands comes first: an item of a list begins with it.
        first = next((key for key, each in members.items() if not isinstance(each, When)), None)
        return members if first is None else {first: members[first], **members}

    def _member(self, values: Values, everywhere: Iterable[Variant]) -> Template:
        condition = self.presence(values, everywhere)
        found = self.merged(values)
        return When(((condition, found),)) if condition else found

    def _sequences(self, values: Values) -> Template:
        lists = {
            variant: each
            for variant, each in values.items()
            if isinstance(each, Sequence) and not isinstance(each, str)
        }
        lengths = {len(each) for each in lists.values()}
        if len(lists) < len(values) or len(lengths) > 1:
            return None
        items = [
            self.merged({variant: each[number] for variant, each in lists.items()}) for number in range(lengths.pop())
        ]
        return None if any(map(_begins_with_choice, items)) else items

    def _strings(self, values: Values) -> Template:
        texts = {variant: each for variant, each in values.items() if isinstance(each, str)}
        return self.texts(texts) if len(texts) == len(values) else None

    def _chosen(self, values: Values) -> Template:
        """By the one axis that tells the alternatives apart, or by the first that tells some and then by others."""
        splits = [(axis, self._split(values, number)) for number, axis in enumerate(self.axes)]
        splits = [(axis, groups) for axis, groups in splits if len(groups) > 1]
        axis, groups = min(splits, key=lambda split: sum(map(_differences, split[1].values())))
        cases: list[tuple[list[str], Template]] = []
        for value, group in groups.items():
            found = self.merged(group)
            same = next((taken for taken, each in cases if each == found), None)
            if same is None:
                cases.append(([value], found))
            else:
                same.append(value)
        conditions = [_one_of(axis, taken, groups) for taken, _ in cases]
        return When(tuple(zip([*conditions[:-1], ""], (found for _, found in cases), strict=True)))

    def _split(self, values: Values, number: int) -> dict[str, dict[Variant, Template]]:
        groups: dict[str, dict[Variant, Template]] = {}
        for variant, each in values.items():
            groups.setdefault(variant[number], {})[variant] = each
        return groups


def _differences(values: Values) -> int:
    alternatives: list[Template] = []
    alternatives.extend(each for each in values.values() if each not in alternatives)
    return sum(each != alternatives[0] for each in alternatives)


def _one_of(axis: Axis, taken: Iterable[str], among: Iterable[str]) -> str:
    chosen, others = sorted(set(taken)), sorted(set(among) - set(taken))
    # Where one choice is to have made no other, the others may hold together: that one does not hold tells nothing.
    untold = [each for each, condition in axis.values.items() if condition == UNTOLD]
    if set(untold) & set(chosen) or (not untold and len(chosen) > 1 and len(others) == 1):
        return f"not ({_any_of(axis, others)})"
    return _any_of(axis, chosen)


def _any_of(axis: Axis, values: Sequence[str]) -> str:
    conditions = [axis.values[each] for each in values if axis.narrower.get(each) not in values]
    return conditions[0] if len(conditions) == 1 else _joined("or", conditions)


def _joined(function: str, conditions: Sequence[str]) -> str:
    return f"{function} {' '.join(f'({each})' for each in conditions)}" if conditions else ""


def _begins_with_choice(item: Template) -> bool:
    if isinstance(item, Noted):
        return _begins_with_choice(item.value)
    return isinstance(item, When) or (isinstance(item, Mapping) and isinstance(next(iter(item.values()), None), When))
