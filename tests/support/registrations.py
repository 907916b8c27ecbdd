"""Registrations as the API server reads them: selectors by its rules, match conditions by an interpreter of CEL."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import cel

Labels = Mapping[str, str]


def holds(requirement: Any, found: Labels) -> bool:
    """As the API server reads a requirement (apimachinery's labels.Requirement.Matches)."""
    value = found.get(requirement["key"])
    match requirement["operator"]:
        case "In":
            return value is not None and value in requirement["values"]
        case "NotIn":
            return value is None or value not in requirement["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case operator:
            raise AssertionError(operator)


def selected(selector: Any, found: Labels) -> bool:
    assert selector.keys() <= {"matchExpressions"}
    return all(holds(requirement, found) for requirement in selector.get("matchExpressions", ()))


def takes_namespace(entry: Any, name: str, labels: Labels) -> bool:
    return selected(entry["namespaceSelector"], {**labels, "kubernetes.io/metadata.name": name})


def takes_pod(entry: Any, namespace: str, pod: Any) -> bool:
    labels = pod.get("metadata", {}).get("labels") or {}
    if not selected(entry["objectSelector"], labels):
        return False
    asked = {"object": {"metadata": {}, **pod}, "request": {"namespace": namespace}}
    return all(_program(each["expression"]).execute(asked) for each in entry["matchConditions"])


@cache
def _program(expression: str) -> Any:
    return cel.compile(expression)
