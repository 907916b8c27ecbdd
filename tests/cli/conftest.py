"""Fixtures for tests of `proa ca` on a cluster that is simulated but for its API."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.api_server import kubeconfig
from support.rotated import Cluster
from support.store import served


@pytest.fixture
def config(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """The path of a kubeconfig for the file's own *cluster*."""
    with served(cluster.etcd) as url:
        (tmp_path / "kubeconfig").write_text(kubeconfig(url))
        yield str(tmp_path / "kubeconfig")
