"""The plugin in the directories of distributions: the link is in the file that the runtime takes, and goes again."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.conflist import PLUGIN, Entry
from node.installer import Installer
from support.documented import directories

ENTRY = Entry("/run/proa-node/cni.sock", ("kube-system",))
PLUGINS = {
    "flannel": {"type": "flannel", "delegate": {"isDefaultGateway": True}},
    "calico": {"type": "calico", "ipam": {"type": "calico-ipam"}},
    "bridge": {"type": "bridge", "bridge": "cni0"},
    "loopback": {"type": "loopback"},
    "multus-shim": {"type": "multus-shim", "readinessindicatorfile": "/run/multus/cni/net.d/10-ovn-kubernetes.conf"},
}


@dataclass(frozen=True)
class Layout:
    """*files* are the configurations with their plugins; *others* lie beside them and are none."""

    configurations: str
    programs: str
    files: dict[str, tuple[str, ...]]
    others: tuple[str, ...] = ()


LAYOUTS = {
    "K3s": Layout(*directories("K3s"), {"10-flannel.conflist": ("flannel",)}),
    "K3s before": Layout(*directories("K3s before October 2024"), {"10-flannel.conflist": ("flannel",)}),
    "RKE2": Layout(*directories("RKE2"), {"10-calico.conflist": ("calico",)}, ("calico-kubeconfig",)),
    "MicroK8s": Layout(*directories("MicroK8s"), {"10-calico.conflist": ("calico",)}, ("cni.yaml",)),
    "CRI-O": Layout(
        *directories("containerd, CRI-O"),
        {"100-crio-bridge.conflist": ("bridge",), "200-loopback.conflist": ("loopback",)},
    ),
    "Multus": Layout(
        *directories("containerd, CRI-O"), {"00-multus.conf": ("multus-shim",), "10-calico.conflist": ("calico",)}
    ),
}


def written(root: Path, layout: Layout) -> tuple[Path, Path]:
    """The two directories, as the distribution leaves them; what its plugins link to is not to be seen from a pod."""
    configurations, programs = (root / path.removeprefix("/") for path in (layout.configurations, layout.programs))
    configurations.mkdir(parents=True)
    real = root / "real" / "0123456789abcdef"
    real.mkdir(parents=True)
    programs.parent.parent.mkdir(parents=True, exist_ok=True)
    programs.parent.symlink_to(real.parent / real.name)
    programs.mkdir()
    for name, plugins in layout.files.items():
        (configurations / name).write_text(json.dumps(configuration(name, plugins)), encoding="utf-8")
        for each in plugins:
            (programs / each).symlink_to("../bin/cni")
    for name in layout.others:
        (configurations / name).write_text("theirs", encoding="utf-8")
    return configurations, programs


def configuration(name: str, plugins: tuple[str, ...]) -> dict[str, object]:
    found = {"cniVersion": "1.0.0", "name": "pods"}
    return found | (PLUGINS[plugins[0]] if name.endswith(".conf") else {"plugins": [PLUGINS[each] for each in plugins]})


def contents(directory: Path) -> dict[str, object]:
    texts = {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir()}
    return {name: text if text == "theirs" else json.loads(text) for name, text in texts.items()}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_it_is_chained_in_the_first_configuration_and_leaves_all_as_it_was(tmp_path: Path, layout: Layout) -> None:
    configurations, programs = written(tmp_path, layout)
    program = tmp_path / "image" / PLUGIN
    program.parent.mkdir()
    program.write_bytes(b"a program")
    before = contents(configurations)
    installer = Installer(program, programs, configurations, ENTRY)
    installer.ensure()
    assert installer.unready == ""
    first, *_ = sorted(name for name in contents(configurations) if name.endswith((".conflist", ".conf")))
    chained = json.loads((configurations / first).read_text(encoding="utf-8"))
    assert chained["name"] == "pods"
    assert [each["type"] for each in chained["plugins"]] == [*next(iter(layout.files.values())), PLUGIN]
    assert (programs / PLUGIN).read_bytes() == b"a program"
    installer.remove()
    assert contents(configurations) == before
    assert not (programs / PLUGIN).exists()


def test_in_another_directory_than_the_runtimes_nothing_is_changed(tmp_path: Path) -> None:
    configurations, _ = written(tmp_path, LAYOUTS["K3s"])
    wrong = tmp_path / "opt" / "cni" / "bin"
    wrong.mkdir(parents=True)
    before = contents(configurations)
    installer = Installer(tmp_path / "unread", wrong, configurations, ENTRY)
    installer.ensure()
    assert installer.unready.startswith(f"flannel not in {wrong}: the runtime has its plugins elsewhere, set inter")
    assert (contents(configurations), list(wrong.iterdir())) == (before, [])
