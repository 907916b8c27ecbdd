"""Whose pod a caller of the Workload API is."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.istio.verdict import Code
from kube.resources import Key
from node.pods import Pod, pod
from node.workload.attestation import HEADER, Workload, WorkloadRefused, check_header, workload
from node.workload.calling import Caller
from proa.identity import TrustDomain, WorkloadIdentity

DOMAIN = TrustDomain("example.org")
UIDS = [f"0000000{number}-0000-4000-8000-000000000000" for number in range(8)]
PODS = st.lists(
    st.builds(
        lambda number, account: Pod(Key("shop", f"p-{number}"), UIDS[number], account, "n", "", None, over=False),
        st.integers(0, 7),
        st.sampled_from(["web", "db"]),
    ),
    unique_by=lambda each: each.uid,
)


def refused(groups: str | None, *pods: Pod) -> tuple[Code, str]:
    with pytest.raises(WorkloadRefused) as found:
        workload(groups, pods, DOMAIN)
    return found.value.status, found.value.reason


@given(PODS, st.sampled_from(UIDS), st.sampled_from(UIDS))
def test_a_caller_is_the_pod_of_its_own_group_and_of_no_other(pods: list[Pod], uid: str, below: str) -> None:
    groups = f"0::/kubepods/burstable/pod{uid}/c/kubepods/pod{below}/made-by-the-pod\n"
    found = next((each for each in pods if each.uid == uid), None)
    if found is None:
        assert refused(groups, *pods) == (Code.UNAVAILABLE, "PodNotKnown")
    else:
        assert workload(groups, pods, DOMAIN) == Workload(uid, WorkloadIdentity(DOMAIN, "shop", found.account))


def test_who_is_in_no_pod_or_has_ended_is_nobody() -> None:
    assert refused("0::/system.slice/sshd.service\n") == (Code.PERMISSION_DENIED, "NotAPod")
    assert refused(None) == (Code.PERMISSION_DENIED, "ProcessEnded")


def test_a_static_pod_has_no_identity_whatever_account_its_image_names() -> None:
    metadata = {"namespace": "kube-system", "name": "etcd", "uid": UIDS[0]}
    image = {**metadata, "annotations": {"kubernetes.io/config.mirror": "hash"}}
    spec = {"serviceAccountName": "admin"}
    groups = f"0::/kubepods/pod{UIDS[0]}/c\n"
    assert refused(groups, pod({"metadata": image, "spec": spec})) == (Code.PERMISSION_DENIED, "NoIdentity")
    found = workload(groups, [pod({"metadata": metadata, "spec": spec})], DOMAIN)
    assert found.identity.service_account == "admin"


@pytest.mark.parametrize("metadata", [[], [("workload.spiffe.io", "True")], [("other", "true")], [HEADER, HEADER]])
def test_a_call_without_the_header_is_refused_for_good(metadata: list[tuple[str, str]]) -> None:
    with pytest.raises(WorkloadRefused) as found:
        check_header(metadata)
    assert found.value.status is Code.INVALID_ARGUMENT
    check_header([("user-agent", "x"), HEADER])


def test_a_caller_has_the_groups_of_the_process_that_dialled_and_none_once_it_has_ended() -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0proa-test-{os.getpid()}")
        listener.listen()
        dials = "import socket,sys; s = socket.socket(socket.AF_UNIX); s.connect(chr(0) + sys.argv[1]); input()"
        command = [sys.executable, "-c", dials, f"proa-test-{os.getpid()}"]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            connection, _ = listener.accept()
            with connection, Caller(connection) as caller:
                assert caller.groups() == Path(f"/proc/{process.pid}/cgroup").read_text(encoding="utf-8")
                process.communicate(b"\n")
                assert caller.groups() is None
