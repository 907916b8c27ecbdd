"""Service account tokens: which are worth a question, the question, and what the answer proves. Pure.

https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/: a token of a pod is bound to it, and
the API server's TokenReview refuses it once the pod is gone. Only such tokens are taken here: any other is good until
it expires, wherever it was copied to.
"""

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from ca.istio.asked import PodToken
from ca.istio.verdict import Code, Refuse
from kube.resources import TOKEN_REVIEWS
from proa.json import Json

LONGEST: Final = 16 * 1024
"""Characters of a token; those of Kubernetes 1.37 have about 1200."""
_SCHEMES: Final = ("Bearer ", "Istio ")
_USER: Final = "system:serviceaccount"
_GROUP: Final = "system:serviceaccounts"
"""Given by the authenticator of service account tokens alone, whatever name another one gives its users."""
_CLAIM: Final = "authentication.kubernetes.io/"
_SKEW: Final = timedelta(minutes=1)
"""By which our clock may go ahead of the API server's."""


class _Bound(msgspec.Struct, frozen=True):
    name: str = ""


class _Kubernetes(msgspec.Struct, frozen=True):
    pod: _Bound = _Bound()


class _Claims(msgspec.Struct, frozen=True):
    exp: float
    aud: str | tuple[str, ...] = ()
    kubernetes: _Kubernetes = msgspec.field(name="kubernetes.io", default=_Kubernetes())


class _User(msgspec.Struct, frozen=True):
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}


class _Status(msgspec.Struct, frozen=True):
    authenticated: bool = False
    user: _User = _User()
    audiences: tuple[str, ...] = ()


class _Review(msgspec.Struct, frozen=True):
    status: _Status = _Status()


def shown_token(authorization: Sequence[str]) -> str | Refuse:
    """The token in the values of the `authorization` header, of which there must be one."""
    if len(authorization) != 1:
        return _unknown("NoToken" if not authorization else "SeveralTokens")
    for scheme in _SCHEMES:
        token = authorization[0].removeprefix(scheme)
        if token != authorization[0]:
            return token
    return _unknown("NoToken")


def hopeless(token: str, audiences: Sequence[str], now: datetime) -> Refuse | None:
    """Why the API server need not be asked: *token* says itself that it is none for us. Nothing of it is believed."""
    if len(token) > LONGEST:
        return _unknown("TokenTooLong")
    parts = token.split(".")
    if len(parts) != 3:
        return _unknown("NotAToken")
    try:
        claims = msgspec.json.decode(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)), type=_Claims)
    except (ValueError, msgspec.DecodeError, RecursionError):
        return _unknown("NotAToken")
    named = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
    if not set(named) & set(audiences):
        return _unknown("OtherAudience")
    if claims.exp < (now - _SKEW).timestamp():
        return _unknown("TokenExpired")
    return None if claims.kubernetes.pod.name else _unknown("TokenNotBound")


def question(token: str, audiences: Sequence[str]) -> Json:
    """A TokenReview. Never log it."""
    spec: Json = {"token": token, "audiences": list(audiences)}
    return {"apiVersion": TOKEN_REVIEWS.api_version, "kind": TOKEN_REVIEWS.kind, "spec": spec}


def proven(answer: Json, audiences: Sequence[str]) -> PodToken | Refuse:
    """Whom the API server's *answer* to `question` names.

    Its audiences count as well: an authenticator that knows of none answers "authenticated" for a token that was meant
    for somebody else, and leaves them empty (authentication/v1 TokenReviewStatus).
    """
    try:
        status = msgspec.convert(answer, _Review).status
    except msgspec.ValidationError:
        return Refuse(Code.UNAVAILABLE, "ReviewUnreadable")
    if not status.authenticated:
        return _unknown("TokenRefused")
    if not set(status.audiences) & set(audiences):
        return _unknown("OtherAudience")
    match status.user.username.rsplit(":", 2):
        case [scheme, namespace, account] if scheme == _USER and namespace and account and _GROUP in status.user.groups:
            return _pod(status.user, namespace, account)
        case _:
            return _unknown("NotAServiceAccount")


def _pod(user: _User, namespace: str, account: str) -> PodToken | Refuse:
    name, uid = _extra(user, "pod-name"), _extra(user, "pod-uid")
    if not (name and uid and user.uid):
        return _unknown("TokenNotBound")
    return PodToken(namespace, account, user.uid, name, uid, _extra(user, "node-name"), _extra(user, "credential-id"))


def _extra(user: _User, name: str) -> str:
    values = user.extra.get(f"{_CLAIM}{name}", ())
    return values[0] if len(values) == 1 else ""


def _unknown(reason: str) -> Refuse:
    return Refuse(Code.UNAUTHENTICATED, reason)
