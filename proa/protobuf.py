"""Messages of Protocol Buffers, described by names and numbers instead of generated code (docs/decisions/0030). Pure.

A map is told as what it is on the wire: repeated entries with a key, 1, and a value, 2.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass


@dataclass(frozen=True, slots=True)
class Field:
    """*of* is the full name of the message that it holds, with a dot before it."""

    number: int
    name: str
    type: "FieldDescriptorProto.Type.ValueType"
    repeated: bool = False
    of: str = ""


Messages: TypeAlias = Mapping[str, tuple[Field, ...]]
"""By their names."""


def kinds(package: str, messages: Messages, imported: Iterable[Any] = ()) -> dict[str, Any]:
    """A class for each of *messages*, in a pool of their own: none of another library's with that name is disturbed.

    *imported* are the descriptors of files that hold what they refer to. The caller knows what the classes have.
    """
    file = FileDescriptorProto(name=f"{package or 'messages'}.proto", package=package, syntax="proto3")
    pool = DescriptorPool()
    for each in imported:
        pool.AddSerializedFile(each.serialized_pb)
        file.dependency.append(each.name)
    for name, fields in messages.items():
        _describe(file, name, fields)
    pool.AddSerializedFile(file.SerializeToString())
    prefix = f"{package}." if package else ""
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{prefix}{name}")) for name in messages}


def _describe(file: FileDescriptorProto, name: str, fields: tuple[Field, ...]) -> None:
    message = file.message_type.add(name=name)
    for each in fields:
        label = FieldDescriptorProto.LABEL_REPEATED if each.repeated else FieldDescriptorProto.LABEL_OPTIONAL
        message.field.add(name=each.name, number=each.number, type=each.type, label=label, type_name=each.of or None)
