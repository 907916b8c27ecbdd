"""Node mode on the cluster of this machine: its agent, the node's network configuration, and the Node itself."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

from launcher.layout import CNI_CONFIGURATION, NODE, NODE_ADDRESSES, on_machine
from node.taint import TAINT
from proa import names
from support.kubectl import Kubectl, eventually, listed

AGENT: Final = f"daemonset/{names.NODE_AGENT}"
PROGRAMS: Final = Path("/usr/lib/cni")
"""Of the machine and of the node."""
BY_NODE: Final = {"programmedBy": "node", "cniConfDir": str(CNI_CONFIGURATION), "cniBinDir": str(PROGRAMS)}
_REGISTER: Final = Path(__file__).parents[1] / "cluster" / "register.py"
_LATE: Final = "not-there-yet"


def configurations() -> dict[str, Any]:
    directory = on_machine(CNI_CONFIGURATION)
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in directory.iterdir() if path.is_file()}


def chained() -> list[str]:
    """What containerd asks, one after the other."""
    return [plugin["type"] for plugin in json.loads(_first().read_text(encoding="utf-8"))["plugins"]]


def unchain() -> None:
    """As the network's own plugin does when it starts before the agent."""
    first = _first()
    found = json.loads(first.read_text(encoding="utf-8"))
    found["plugins"] = [each for each in found["plugins"] if each["type"] != "proa-cni"]
    _put(first, found)


@contextmanager
def late_network() -> Iterator[str]:
    """A configuration before all others, of a plugin that is not in its directory yet; the plugin's name."""
    first = on_machine(CNI_CONFIGURATION) / "00-late.conflist"
    _put(first, {"cniVersion": "1.0.0", "name": "late", "plugins": [{"type": _LATE}]})
    try:
        yield _LATE
    finally:
        first.unlink()


def standing(kubectl: Kubectl, objects: list[Any]) -> list[Any]:
    """Those of *objects* that are there, as they are, to be created again."""
    asked = ("get", "--filename=-", "--ignore-not-found", "--output=json")
    found = json.loads(kubectl(*asked, given=listed(*objects)) or '{"items": []}')
    items: list[Any] = found.get("items", [found])
    for each in items:
        for written in ("resourceVersion", "uid", "creationTimestamp"):
            del each["metadata"][written]
    return items


def send_away(nodes: Kubectl) -> None:
    """The agent, though its DaemonSet stays."""
    _select(nodes, "away")
    eventually(lambda: not nodes.json("pods"), "the agent's end")


def let_come(nodes: Kubectl) -> None:
    _select(nodes, None)


@contextmanager
def registered(kubectl: Kubectl) -> Iterator[None]:
    """The node anew, as one that has just booted, with the taint that its agent lifts; in the end without."""
    try:
        subprocess.run([sys.executable, _REGISTER, TAINT], check=True)
        yield
    finally:
        if TAINT in taints(kubectl):
            kubectl("taint", "node", NODE, f"{TAINT}-")


def taints(kubectl: Kubectl) -> list[str]:
    """The keys of those that the node has."""
    return [each["key"] for each in kubectl.json("node", NODE)["spec"].get("taints", [])]


def readiness() -> str:
    """What the agent says of it; nothing while there is no agent."""
    try:
        with urllib.request.urlopen(f"http://{NODE_ADDRESSES[0]}:{names.NODE_HEALTH_PORT}/readyz", timeout=5) as answer:
            return str(answer.read().decode())
    except HTTPError as unready:
        return unready.read().decode()
    except OSError:  # of URLError, or raw where the agent ends while it is asked
        return ""


def events(inside: Kubectl, name: str) -> str:
    return inside("get", "events", f"--field-selector=involvedObject.name={name}")


def waits(found: dict[str, Any]) -> bool:
    """Whether its first container runs, and so no other one."""
    first, *_ = found["status"].get("initContainerStatuses", [{}])
    return first.get("name") == names.INIT_CONTAINER and "running" in first.get("state", {})


def _first() -> Path:
    return min(on_machine(CNI_CONFIGURATION).glob("*.conflist"))


def _put(path: Path, configuration: dict[str, Any]) -> None:
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps(configuration), encoding="utf-8")
    partial.replace(path)


def _select(nodes: Kubectl, where: str | None) -> None:
    patch = {"spec": {"template": {"spec": {"nodeSelector": {"proa.dev/test": where}}}}}
    nodes("patch", AGENT, f"--patch={json.dumps(patch)}")
