"""The network configurations of a node with proa-cni chained behind the first of them, or without it. Pure.

A runtime takes the first file by name, of those that end in `.conf`, `.conflist` or `.json`, that it can read (libcni's
ConfFiles, containerd's go-cni). A `.conf` has one plugin and no room for a second: it is put aside under a name that no
runtime reads, and a list takes its place.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias, cast

from proa.json import Json

PLUGIN: Final = "proa-cni"
"""The program's name, by which a configuration calls it."""
_ASIDE: Final = ".before-proa"
_LISTS: Final = (".conflist",)
_SINGLE: Final = (".conf", ".json")


@dataclass(frozen=True, slots=True)
class Written:
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Renamed:
    name: str
    to: str


@dataclass(frozen=True, slots=True)
class Removed:
    name: str


Change: TypeAlias = Written | Renamed | Removed
Object: TypeAlias = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Entry:
    """proa-cni's own configuration."""

    socket: str
    excluded_namespaces: tuple[str, ...]

    def document(self) -> Object:
        return {"type": PLUGIN, "socket": self.socket, "excludedNamespaces": list(self.excluded_namespaces)}


def chaining(files: Mapping[str, str], entry: Entry) -> tuple[Change, ...]:
    """What makes *entry* a link of the first configuration's chain; nothing if it is one, or if there is none yet."""
    for name in sorted(files):
        if (found := _configuration(name, files[name])) is None:
            continue
        if name.endswith(_LISTS):
            chained = _chained(found, entry.document())
            return () if chained == found else (Written(name, _text(chained)),)
        # First the list: until the single one is away the runtime reads that, or the list behind it, never nothing.
        return Written(_list_name(name), _text(_wrapped(found, entry.document()))), Renamed(name, name + _ASIDE)
    return ()


def is_chained(files: Mapping[str, str], entry: Entry) -> bool:
    """Whether there is a first configuration, and it asks us as *entry* says."""
    return any(_configuration(name, text) is not None for name, text in files.items()) and not chaining(files, entry)


def beside(files: Mapping[str, str]) -> tuple[str, ...]:
    """The programs of others that the first configuration calls, in its order: a runtime finds them where it looks."""
    configurations = filter(None, (_configuration(name, files[name]) for name in sorted(files)))
    plugins = (plugin for found in islice(configurations, 1) for plugin in _plugins(found) or [found])
    types = (plugin.get("type") for plugin in plugins if isinstance(plugin, dict))
    return tuple(each for each in types if isinstance(each, str) and each != PLUGIN)


def unchaining(files: Mapping[str, str]) -> tuple[Change, ...]:
    """What leaves no link of ours in any configuration, and puts back what was put aside."""
    aside = {name.removesuffix(_ASIDE) for name in files if name.endswith(_ASIDE)}
    made = {_list_name(name) for name in aside}
    back = (change for name in sorted(aside) for change in _put_back(name, files))
    cleaned = (change for name in sorted(files) if name not in made for change in _cleaned(name, files[name]))
    return (*back, *cleaned)


def _put_back(name: str, files: Mapping[str, str]) -> Iterator[Change]:
    """The network's plugin may have written its file anew: then what was put aside is old."""
    if name in files:
        yield Removed(name + _ASIDE)
    else:
        yield Renamed(name + _ASIDE, name)
    if _list_name(name) in files:
        yield Removed(_list_name(name))


def _cleaned(name: str, text: str) -> Iterator[Change]:
    found = _configuration(name, text) if name.endswith(_LISTS) else None
    if found is not None:
        others: Json = [plugin for plugin in _plugins(found) if not _ours(plugin)]
        if others != found["plugins"]:
            yield Written(name, _text({**found, "plugins": others}))


def _configuration(name: str, text: str) -> Object | None:
    """What a runtime would use of a file; None for what it passes by."""
    if not name.endswith(_LISTS + _SINGLE):
        return None
    try:
        document = cast("Json", json.loads(text))
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("name"), str):
        return None
    usable = _plugins(document) if name.endswith(_LISTS) else isinstance(document.get("type"), str)
    return document if usable else None


def _chained(found: Object, link: Object) -> Object:
    """Where it stands already it stays: another chained plugin may insist on being the last one, too."""
    plugins: list[Json] = []
    placed = False
    for plugin in _plugins(found):
        if not _ours(plugin):
            plugins.append(plugin)
        elif not placed:
            plugins.append(link)
            placed = True
    return {**found, "plugins": plugins if placed else [*plugins, link]}


def _wrapped(single: Object, link: Object) -> Object:
    names: Object = {name: single[name] for name in ("cniVersion", "name") if name in single}
    plugin: Json = {name: value for name, value in single.items() if name not in names}
    return {"cniVersion": "0.3.1", **names, "plugins": [plugin, link]}


def _plugins(found: Object) -> list[Json]:
    plugins = found.get("plugins")
    return plugins if isinstance(plugins, list) else []


def _ours(plugin: Json) -> bool:
    return isinstance(plugin, dict) and plugin.get("type") == PLUGIN


def _list_name(single: str) -> str:
    return f"{single}.conflist"


def _text(document: Object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
