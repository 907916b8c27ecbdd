"""Every kind of workload, as its author wrote it, in a namespace of the mesh."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from proa import names
from support.kubectl import Kubectl, answered, eventually, pod_spec, service, serving, workload
from support.mesh import IN_MESH, Mesh, address, carries, connections, pods

pytestmark = pytest.mark.beside_others

WORKLOADS = ("deployment/web", "deployment/client", "statefulset/store", "daemonset/agent")
FAMILIES = (4, 6)


@pytest.fixture(scope="module")
def shop(mesh: Mesh) -> Iterator[Kubectl]:
    """All at once, as an admin would apply a folder of manifests; everything runs at the end."""
    # A task talks to the web before it ends: its sidecar must start before it and end after it.
    task = pod_spec("sh", "-c", "until peer get http://web/; do sleep 1; done", restartPolicy="Never")
    job = {"template": {"spec": task}, "backoffLimit": 0}
    schedule = {"schedule": "* * * * *", "jobTemplate": {"spec": job}}
    with mesh.kubectl.new_namespace("end-to-end", IN_MESH) as inside:
        inside.apply(
            workload("Deployment", "web", serving(), replicas=2),
            service("web", 8080),
            workload("Deployment", "client", serving()),
            service("client", 8080),
            workload("StatefulSet", "store", serving(), serviceName="store", replicas=2),
            service("store", 8080, clusterIP="None"),
            workload("DaemonSet", "agent", serving()),
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "task"}, "spec": job},
            {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "hourly"}, "spec": schedule},
        )
        inside.ready(*WORKLOADS, seconds=180)
        yield inside


@pytest.mark.parametrize("app", ["web", "client", "store", "agent"])
def test_every_pod_of_a_workload_carries_its_sidecar_and_is_ready(shop: Kubectl, app: str) -> None:
    found = pods(shop, app)
    assert found
    for each in found:
        assert carries(each)
        assert {status["name"]: status["ready"] for status in each["status"]["initContainerStatuses"]} == {
            names.INIT_CONTAINER: True,
            names.PROXY_CONTAINER: True,
        }
        assert all(status["ready"] for status in each["status"]["containerStatuses"])


def test_a_jobs_pod_carries_its_sidecar_and_the_job_completes(shop: Kubectl) -> None:
    shop.ready("job/task", seconds=180)
    (found,) = shop.json("pods", "--selector=batch.kubernetes.io/job-name=task")
    assert carries(found)
    assert "\nweb-" in "\n" + shop("logs", "job/task", "--container=app")


def test_a_cron_jobs_job_completes(shop: Kubectl) -> None:
    def completed() -> list[dict[str, Any]]:
        owned = [job for job in shop.json("jobs") if job["metadata"].get("ownerReferences")]
        return [job for job in owned if job["status"].get("succeeded")]

    job = eventually(completed, "a Job of the CronJob", 150)[0]
    (found,) = shop.json("pods", f"--selector=batch.kubernetes.io/job-name={job['metadata']['name']}")
    assert carries(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_call_to_a_services_address_goes_through_both_envoys(shop: Kubectl, family: int) -> None:
    (ip,) = [ip for ip in shop.json("service", "web")["spec"]["clusterIPs"] if (":" in ip) == (family == 6)]
    url = f"http://{f'[{ip}]' if family == 6 else ip}/services-{family}"
    _assert_that_both_envoys_saw(shop, url, f"{f'[{ip}]' if family == 6 else ip}:80")


def test_a_call_to_a_services_name_goes_through_both_envoys(shop: Kubectl) -> None:
    ips = shop.json("service", "web")["spec"]["clusterIPs"]
    _assert_that_both_envoys_saw(shop, "http://web.end-to-end.svc.cluster.local/", f"{ips[0]}:80", f"[{ips[1]}]:80")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_call_to_a_pods_address_goes_through_both_envoys(shop: Kubectl, family: int) -> None:
    host = address(pods(shop, "web")[0], family)
    _assert_that_both_envoys_saw(shop, f"http://{host}:8080/", f"{host}:8080")


@pytest.mark.parametrize("ordinal", [0, 1])
def test_a_pod_of_a_stateful_set_is_reached_by_its_own_name(shop: Kubectl, ordinal: int) -> None:
    _assert_that_it_answers(shop, f"http://store-{ordinal}.store:8080/", f"store-{ordinal} ")


def test_a_pod_reaches_itself_through_its_service(shop: Kubectl) -> None:
    _assert_that_it_answers(shop, "http://client/", "client-")


def _assert_that_it_answers(shop: Kubectl, url: str, page: str) -> None:
    """To the client. kube-proxy and the cluster's DNS learn of endpoints after they are ready."""
    eventually(partial(answered, shop, url, by="deployment/client", begins=page), f"{page} at {url}")


def _assert_that_both_envoys_saw(shop: Kubectl, url: str, *dialled: str) -> None:
    """The connection that the client's Envoy opened is one that the Envoy of a pod of the web took."""
    _assert_that_it_answers(shop, url, "web-")
    (client,) = pods(shop, "client")

    def seen() -> bool:
        calls = connections(shop, client["metadata"]["name"])
        opened = {call["upstream_local"] for call in calls if call["original_destination"] in dialled}
        taken = {call["source"] for web in pods(shop, "web") for call in connections(shop, web["metadata"]["name"])}
        return bool(opened & taken)

    eventually(seen, f"a call to {dialled} in both access logs")
