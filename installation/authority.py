"""The certificate authority's process: it needs nothing of the webhook's, and all revisions share it. Pure."""

from installation.metadata import shared
from installation.pods import Process
from proa import names

COMPONENT = "ca"


def authority() -> Process:
    """Any replica may be the leader: the Lease says who signs, and its keys lie in a Secret."""
    return Process(metadata=shared(names.AUTHORITY, COMPONENT), command=names.AUTHORITY)
