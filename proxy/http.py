"""The shapes of the sidecar's own HTTP listeners, which answer exactly what they were made for. Pure."""

from collections.abc import Sequence

from proa.json import Json
from proa.mesh import IpFamily
from proxy.message import Message, extension, wildcard


def asked(method: str, path_and_query: Message) -> Message:
    """What a request must be. *path_and_query* is a StringMatcher; matched by its path alone, any query would do."""
    return {
        "prefix": "/",
        "headers": [
            {"name": ":method", "string_match": {"exact": method}},
            {"name": ":path", "string_match": path_and_query},
        ],
    }


def router(fields: Message | None = None) -> Message:
    """The filter that goes by the routes: the last of each chain of HTTP filters."""
    return extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", fields)


def http_listener(
    name: str, port: int, family: IpFamily, routes: Sequence[Json], filters: Sequence[Json], **more: Json
) -> Message:
    """A listener on *port* of every address of the pod that answers by *routes*, and 404 to the rest.

    *more* are further fields of the HttpConnectionManager.
    """
    hosts: list[Json] = [{"name": name, "domains": ["*"], "routes": list(routes)}]
    connections = extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        {
            "stat_prefix": name,
            "route_config": {"name": name, "virtual_hosts": hosts},
            "http_filters": list(filters),
            **more,
        },
    )
    return {"name": name, "address": wildcard(port, family), "filter_chains": [{"filters": [connections]}]}
