"""Others' protocols as protoc makes them of their definitions: a client's messages and stubs."""

import importlib
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from grpc_tools import protoc

HERE = Path(__file__).parent
AGENT = Path(__file__).with_name("istio_agent.py")
"""A program for a pod."""


@cache
def sources(protocol: str = "istio_ca") -> dict[str, str]:
    """What protoc makes of a protocol's definition: the messages and the stubs, by the names of their files."""
    # protoc's own: struct.proto.
    own = Path(protoc.__file__).parent / "_proto"
    with TemporaryDirectory() as directory:
        arguments = ["protoc", f"-I{HERE}", f"-I{own}", f"--python_out={directory}"]
        assert protoc.main([*arguments, f"--grpc_python_out={directory}", f"{protocol}.proto"]) == 0
        return {each.name: each.read_text(encoding="utf-8") for each in Path(directory).iterdir()}


@cache
def generated(protocol: str = "istio_ca") -> tuple[Any, Any]:
    """Its messages and its stubs."""
    with TemporaryDirectory() as directory:
        for name, text in sources(protocol).items():
            (Path(directory) / name).write_text(text, encoding="utf-8")
        sys.path.insert(0, directory)
        try:
            return importlib.import_module(f"{protocol}_pb2"), importlib.import_module(f"{protocol}_pb2_grpc")
        finally:
            sys.path.remove(directory)
