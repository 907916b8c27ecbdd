"""Pods, and partial pods to lay over them, made at random: of few names, so that they meet."""

from typing import Any, Final

from hypothesis import strategies as st

NAMES: Final = st.sampled_from(["app", "web", "log"])
TEXTS: Final = st.sampled_from(["", "a", "b", "1", "$(POD_IP)"])
_COUNTS: Final = st.integers(0, 3)


def _optional(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional=members)


def _texts() -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(["app", "tier", "a/b", "a~b"]), TEXTS, max_size=3)


def _unique(items: st.SearchStrategy[Any], key: str) -> st.SearchStrategy[Any]:
    return st.lists(items, max_size=3, unique_by=lambda item: item[key])


def _items(key: str, keys: st.SearchStrategy[Any], nulls: bool, **members: st.SearchStrategy[Any]) -> Any:
    given = {name: each | st.none() if nulls else each for name, each in members.items()}
    item = st.fixed_dictionaries({key: keys}, optional=given)
    if not nulls:
        return _unique(item, key)
    deleting = st.fixed_dictionaries({"$patch": st.just("delete"), key: keys})
    replacing = st.just({"$patch": "replace"})
    return st.lists(item | deleting, max_size=3, unique_by=lambda each: each[key]) | st.tuples(replacing, item).map(
        list
    )


def _container(nulls: bool) -> dict[str, st.SearchStrategy[Any]]:
    paths, ports = st.sampled_from(["/a", "/b"]), st.integers(1, 3)
    probe = _optional(httpGet=_optional(path=TEXTS, port=ports), periodSeconds=_COUNTS)
    return {
        "image": TEXTS,
        "args": st.lists(TEXTS, max_size=2),
        "tty": st.booleans(),
        "env": _items("name", NAMES, nulls, value=TEXTS),
        "volumeMounts": _items("mountPath", paths, nulls, name=NAMES, readOnly=st.booleans()),
        "ports": _items("containerPort", ports, nulls, name=NAMES),
        "resources": _optional(requests=_texts(), limits=_texts()),
        "securityContext": _optional(runAsUser=_COUNTS, capabilities=_optional(drop=st.lists(TEXTS, max_size=2))),
        "livenessProbe": probe,
    }


def _pods(nulls: bool) -> st.SearchStrategy[Any]:
    spec: dict[str, st.SearchStrategy[Any]] = {
        "containers": _items("name", NAMES, nulls, **_container(nulls)),
        "initContainers": _items("name", NAMES, nulls, **_container(nulls)),
        "volumes": _items("name", NAMES, nulls, emptyDir=_optional(medium=TEXTS), hostPath=_optional(path=TEXTS)),
        "imagePullSecrets": _items("name", NAMES, nulls),
        "hostAliases": _items("ip", TEXTS, nulls, hostnames=st.lists(TEXTS, max_size=2)),
        "tolerations": st.lists(_optional(key=TEXTS, operator=TEXTS), max_size=2),
        "nodeSelector": _texts(),
        "securityContext": _optional(fsGroup=_COUNTS),
        "dnsConfig": _optional(searches=st.lists(TEXTS, max_size=2)),
        "priority": _COUNTS,
    }
    metadata: dict[str, st.SearchStrategy[Any]] = {"labels": _texts(), "annotations": _texts()}
    if nulls:
        spec, metadata = ({key: each | st.none() for key, each in those.items()} for those in (spec, metadata))
    return _optional(metadata=_optional(**metadata), spec=_optional(**spec))


WHOLE: Final = _pods(nulls=False)
"""Pods as the API server holds them: no null, each item of a list with a key of its own."""
PARTIAL: Final = _pods(nulls=True)
"""Partial pods, with nulls and directives."""
