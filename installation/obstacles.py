"""What keeps a command from looking at the cluster at all, by the code of the error, and what to do about it. Pure."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A kind of failure of the API server's client; the exit status is 2, and nothing was changed."""

    code: str
    title: str
    meaning: str
    remedy: str


OBSTACLES: Final = (
    Obstacle(
        "api_unreachable",
        "The API server does not answer",
        "No connection could be made to the address of the context in use, its certificate is not trusted, or it did"
        " not answer in time. The message says which.",
        "see that kubectl get --raw /version answers with the same --kubeconfig and --context; what answers there must"
        " answer here",
    ),
    Obstacle(
        "api_unauthenticated",
        "The API server does not know who asks",
        "The token or client certificate of the context has expired, or is of another cluster.",
        "log in anew, or use another --context: kubectl auth whoami must name you",
    ),
    Obstacle(
        "api_forbidden",
        "The API server does not let you read what the command needs",
        "The checks go on without what may not be read, and say so; a command that needs it ends.",
        "have it granted: the cluster role `view` reads all that proa status and proa explain need once Proa is"
        " installed; proa check, install, upgrade and uninstall are for cluster-admin",
    ),
    Obstacle(
        "api_not_found",
        "The API server does not know the object",
        "The pod or namespace named on the command line is not there, or the API server has no such kind.",
        "see that the name, -n and --context are what you mean",
    ),
    Obstacle(
        "not_applicable",
        "The API server would refuse what is to be applied",
        "Everything is tried in a dry run first. A field that another manager has set (kubectl, Helm, a GitOps tool),"
        " an admission webhook or policy that refuses an object: each is listed, and nothing was changed.",
        "for a conflict, keep to the tool that installed Proa, or take its fields over with --force-conflicts; for"
        " anything else, mend what the message names",
    ),
)


def remedy(code: str) -> str:
    """What to do about an error of *code*; empty for one that is no obstacle."""
    return next((each.remedy for each in OBSTACLES if each.code == code), "")
