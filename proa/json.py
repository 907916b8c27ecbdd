"""The values that JSON, and so Kubernetes and Envoy, can hold. Pure."""

from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
