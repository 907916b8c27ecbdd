"""Istio's protocol as protoc makes it of its definition: a client's messages and stubs."""

import importlib
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from grpc_tools import protoc

PROTO = Path(__file__).with_name("istio_ca.proto")
AGENT = Path(__file__).with_name("istio_agent.py")
"""A program for a pod."""


@cache
def sources() -> dict[str, str]:
    """What protoc makes of the protocol's definition: the messages and the stubs, by the names of their files."""
    # protoc's own: struct.proto.
    own = Path(protoc.__file__).parent / "_proto"
    with TemporaryDirectory() as directory:
        arguments = ["protoc", f"-I{PROTO.parent}", f"-I{own}", f"--python_out={directory}"]
        assert protoc.main([*arguments, f"--grpc_python_out={directory}", PROTO.name]) == 0
        return {each.name: each.read_text(encoding="utf-8") for each in Path(directory).iterdir()}


@cache
def generated() -> tuple[Any, Any]:
    with TemporaryDirectory() as directory:
        for name, text in sources().items():
            (Path(directory) / name).write_text(text, encoding="utf-8")
        sys.path.insert(0, directory)
        try:
            return importlib.import_module("istio_ca_pb2"), importlib.import_module("istio_ca_pb2_grpc")
        finally:
            sys.path.remove(directory)
