"""Envoy's configuration messages as JSON values, and the few shapes every other module here is made of. Pure."""

import hashlib
from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from proa.json import Json
from proa.mesh import IpFamily

Message: TypeAlias = dict[str, Json]
"""A protobuf message in proto3 JSON, with the field names of the .proto file."""

LOOPBACK: Final = "127.0.0.1"


def typed(message_type: str, fields: Message | None = None) -> Message:
    """A `google.protobuf.Any` of *message_type* (`envoy.…`)."""
    return {"@type": f"type.googleapis.com/{message_type}", **(fields or {})}


def response(message_type: str, messages: Iterable[Message]) -> Message:
    """A DiscoveryResponse of *messages*. Its version is a hash of what it holds: the same everywhere, at any time."""
    resources: list[Json] = [typed(message_type, message) for message in messages]
    version = hashlib.sha256(msgspec.json.encode(resources)).hexdigest()[:16]
    return {"version_info": version, "resources": resources}


def extension(name: str, message_type: str, fields: Message | None = None) -> Message:
    """A named extension of Envoy with its typed configuration."""
    return {"name": name, "typed_config": typed(message_type, fields)}


def address(host: str, port: int) -> Message:
    return {"socket_address": {"address": host, "port_value": port}}


def wildcard(port: int, family: IpFamily) -> Message:
    """Every address of the pod, by one socket: `::` takes IPv4 too (`ipv4_compat`)."""
    match family:
        case IpFamily.DUAL_STACK:
            return {"socket_address": {"address": "::", "port_value": port, "ipv4_compat": True}}
        case IpFamily.IPV4:
            return address("0.0.0.0", port)  # noqa: S104 - the pod's own namespace, where all traffic is ours to take
