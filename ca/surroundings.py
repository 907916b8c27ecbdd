"""What each of the authority's doors is part of. Shell."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from ca.reports import Reports
from ca.storage import LiveMaterial
from kube.client import Client
from kube.configuration import LiveConfiguration
from proa.clock import Clock

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Surroundings(Generic[M]):
    """*metrics* are the door's own."""

    client: Client
    material: LiveMaterial
    configuration: LiveConfiguration
    clock: Clock
    reports: Reports
    metrics: M
