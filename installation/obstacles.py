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
        "api_refused",
        "The API server answers with an error of its own",
        "It is overloaded or starting, its store is away, or what answers at that address is no API server but a proxy"
        " before it. The message has its words.",
        "see that kubectl get --raw /readyz answers ok with the same --kubeconfig and --context, and run the command"
        " again",
    ),
    Obstacle(
        "api_conflict",
        "Somebody else changed the object at the same time",
        "The API server takes a change only on top of the newest state.",
        "run the command again; where another tool keeps changing it, let one of the two go",
    ),
    Obstacle(
        "api_expired",
        "The list changed while it was read",
        "In a large cluster a list comes in pages, and the API server keeps the older state for some minutes only.",
        "run the command again",
    ),
    Obstacle(
        "interrupted",
        "The command ended half-way",
        "Everything is tried in a dry run first, but for what goes into a namespace that is not there yet, and the"
        " cluster may change in between. What was done stays; the registration comes last and goes first, so that no"
        " pod waits for what is not there.",
        "mend what the message names, and run the same command again: it goes on from there",
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
