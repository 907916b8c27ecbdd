"""The ConfigMap that holds the mesh's configuration, with every setting explained in it. Pure."""

from collections.abc import Mapping
from typing import Final

from installation.documentation import settings
from installation.metadata import inside, own, shared
from installation.noted import Fields
from installation.options import Options
from proa import names
from proa.documents import as_yaml, node_of
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.sections import section

HEAD: Final = "# What differs from the defaults, which follow. A document that does not parse changes nothing.\n"
_COMPONENT: Final = "configuration"


def configuration(options: Options, document: str) -> Fields:
    """The ConfigMap of *options*' revision; the default one's is the authority's, too, and so shared."""
    if options.revision:
        metadata = own(options, options.configuration_map, _COMPONENT)
    else:
        metadata = shared(options.configuration_map, _COMPONENT)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": inside(metadata),
        "data": {names.CONFIGURATION_KEY: document},
    }


def mesh_document(options: Options) -> str:
    """The text of mesh.yaml: all settings as comments, then what differs from them."""
    return f"{explained()}{as_yaml((node_of(given(options)),))}"


def explained() -> str:
    return f"{HEAD}#\n{settings()}"


def mesh(options: Options) -> MeshConfiguration:
    """The configuration that *options* install."""
    return section(MeshConfiguration, given(options))


def init_image(options: Options) -> str:
    """Of the container that pods are given: what the mesh names, or else Proa's own."""
    return mesh(options).init.image


def given(options: Options) -> dict[str, Json]:
    """What *options* set: pods are given the image that Proa's own processes run, unless the mesh names another."""
    return _merged({"init": {"image": options.image}}, options.mesh)


def _merged(under: Mapping[str, Json], over: Mapping[str, Json]) -> dict[str, Json]:
    """*over* laid on *under*, section by section; keys in order, as Helm writes them."""
    merged = {**under, **over}
    for key in under.keys() & over.keys():
        below, above = under[key], over[key]
        if isinstance(below, dict) and isinstance(above, dict):
            merged[key] = _merged(below, above)
    return dict(sorted(merged.items()))
