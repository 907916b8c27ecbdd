"""Start a real Kubernetes of one node on this machine: `python tests/cluster/up.py`, as root. Shell."""

import sys

from launcher import cluster, machine, node
from launcher.layout import COMMANDS, KUBECONFIG, LOGS
from launcher.progress import Progress, alone, status

_USE = f"""
  export KUBECONFIG={KUBECONFIG}
  export PATH={COMMANDS}:$PATH
  kubectl get pods --all-namespaces

Logs of its parts: {LOGS}. Images it has: pause, CoreDNS, localhost/busybox:1 and Envoy; no registry is asked.
`make cluster-down` removes every trace.
"""


def up(progress: Progress) -> str:
    machine.require_root()
    with alone():
        if node.first_process() is not None:
            return f"the cluster is up already; `make cluster-down` ends it\n{_USE}"
        node.stop_node()
        machine.check_machine()
        _bring_up_or_down(progress)
    return f"the cluster is up\n{_USE}"


def _bring_up_or_down(progress: Progress) -> None:
    try:
        cluster.bring_up(progress.tell)
    except BaseException:
        progress.tell("taking down what was started")
        node.stop_node()
        raise


if __name__ == "__main__":
    sys.exit(status(up))
