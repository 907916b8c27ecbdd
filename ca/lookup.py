"""What stands in the cluster under the names that a request gives. Shell."""

from ca.request import Pod, account_uid, pod
from kube.client import Client
from kube.failures import NotFound
from kube.resources import PODS, SERVICE_ACCOUNTS


async def pod_named(client: Client, name: str, namespace: str) -> Pod | None:
    """None where there is none. Raises ProaError."""
    try:
        return pod(await client.get(PODS, name, namespace))
    except NotFound:
        return None


async def account_named(client: Client, name: str, namespace: str) -> str | None:
    """The UID of a service account, None where there is none. Raises ProaError."""
    try:
        return account_uid(await client.get(SERVICE_ACCOUNTS, name, namespace))
    except NotFound:
        return None
