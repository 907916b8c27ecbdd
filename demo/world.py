"""What stands around the pods: the authority, the webhook, the node, discovery's files. Shell."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ca.authority import self_signed_authority
from ca.profile import ServingLeaf
from demo.admission import Webhook
from demo.credentials import Credentials, certified
from demo.image import laid_in_image
from demo.kubelet import Kubelet
from demo.network import create_node, families
from demo.volumes import Sources
from discovery.directory import publish
from discovery.files import subscription_files
from discovery.model import Workload
from discovery.resources import resources
from proa import names
from proa.clock import system_clock
from proa.identity import TrustDomain
from proa.mesh import FileDiscovery, IpFamily, MeshConfiguration
from webhook.server import application, https_service

_SERVER_NAME: Final = f"proa-webhook.{names.SYSTEM_NAMESPACE}.svc"
_SERVING_SECONDS: Final = 86400


@dataclass(frozen=True, slots=True)
class World:
    """A mesh that has no pods yet."""

    configuration: MeshConfiguration
    trust_domain: TrustDomain
    credentials: Credentials
    webhook: Webhook
    kubelet: Kubelet
    discovery: Path

    def discover(self, workloads: Iterable[Workload]) -> None:
        """Tell every sidecar that these are the mesh's workloads."""
        made = resources(workloads, self.configuration.proxy.access_log, self.configuration.own_domains)
        publish(self.discovery, subscription_files(made))


def demo_configuration() -> MeshConfiguration:
    """Every default, but for the door by which sidecars learn of each other, and what this kernel can do."""
    family = IpFamily.DUAL_STACK if len(families()) == 2 else IpFamily.IPV4
    return MeshConfiguration(discovery=FileDiscovery(), ip_family=family)


@asynccontextmanager
async def world(directory: Path, namespaces: Mapping[str, Mapping[str, str]]) -> AsyncGenerator[World]:
    """Set everything up below *directory*; *namespaces* are their labels. The webhook serves until this is left."""
    configuration = demo_configuration()
    trust_domain = TrustDomain(configuration.trust_domain)
    credentials = Credentials(self_signed_authority(trust_domain, system_clock), trust_domain)
    discovery = directory / "discovery"
    sources = Sources(
        certificate=credentials.certificate,
        trust_bundle=credentials.trust_bundle,
        config_maps={names.DISCOVERY_VOLUME: discovery},
    )
    await asyncio.to_thread(create_node)
    kubelet = Kubelet(directory / "pods", laid_in_image(directory / "image"), sources)
    listening = socket.create_server(("127.0.0.1", 0))
    roots = credentials.authority.trust_bundle
    webhook = Webhook(f"https://127.0.0.1:{listening.getsockname()[1]}/inject", _SERVER_NAME, roots)
    stopping = asyncio.Event()
    serve = https_service(application(configuration, namespaces.get), listening, _server_tls(credentials, directory))
    serving = asyncio.create_task(serve(stopping))
    try:
        yield World(configuration, trust_domain, credentials, webhook, kubelet, discovery)
    finally:
        stopping.set()
        await serving


def _server_tls(credentials: Credentials, directory: Path) -> ssl.SSLContext:
    """The webhook's own certificate, from the same authority, by a file that only root reads and that does not stay."""
    bundle, _ = certified(credentials.authority, ServingLeaf(dns_names=(_SERVER_NAME,)), _SERVING_SECONDS)
    file = directory / "serving.pem"
    file.touch(mode=0o600)
    file.write_bytes(bundle)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    file.unlink()
    return context


def namespace_labels(documents: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """The labels of every Namespace among *documents*."""
    found = [one["metadata"] for one in documents if one["kind"] == "Namespace"]
    return {metadata["name"]: dict(metadata.get("labels", {})) for metadata in found}
