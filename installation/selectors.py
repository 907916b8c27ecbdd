"""Whether a label selector takes a set of labels, as the API server decides it (meta/v1 LabelSelector). Pure."""

from collections.abc import Iterator, Mapping

from installation.trees import listed, text, texts
from proa.json import Json


def takes(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether *selector* takes *labels*. One that is absent or empty takes everything; an unknown operator, nothing."""
    return not any(unmet(selector, labels))


def unmet(selector: Json, labels: Mapping[str, str]) -> Iterator[str]:
    """Each requirement of *selector* that *labels* do not meet, and what was found instead."""
    for key, value in texts(selector, "matchLabels").items():
        if labels.get(key) != value:
            yield f"wants {key}={value}, {_found(key, labels)}"
    for each in listed(selector, "matchExpressions"):
        if not _holds(each, labels):
            yield f"wants {_words(each)}, {_found(text(each, 'key'), labels)}"


def keys(selector: Json) -> frozenset[str]:
    """The labels that *selector* looks at."""
    named = (text(each, "key") for each in listed(selector, "matchExpressions"))
    return frozenset(texts(selector, "matchLabels")) | frozenset(named)


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    key, values = text(expression, "key"), listed(expression, "values")
    match text(expression, "operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            # A label that is absent is not in the list either.
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False


def _words(expression: Json) -> str:
    key, values = text(expression, "key"), ", ".join(map(str, listed(expression, "values")))
    match text(expression, "operator"):
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} not in ({values})"
        case "Exists":
            return f"the label {key}"
        case "DoesNotExist":
            return f"no label {key}"
        case other:
            return f"{key} {other} ({values})"


def _found(key: str, labels: Mapping[str, str]) -> str:
    return f"found {key}={labels[key]}" if key in labels else "found no such label"
