"""Who may administer: whoever has the admin token, or a key of holdfast made for it."""

from hashlib import sha256
from hmac import compare_digest

from holdfast.admin.refusals import foreign, no_token
from holdfast.assembly import Runtime
from holdfast.policy.keys import PREFIX, KeyScope
from holdfast.wire.headers import Headers, get

TOKEN = "admin-token"
BEARER = "bearer "
OWN_SITES = ("same-origin", "none")


class Access:
    """Opens the Admin API of one runtime; `token` is the admin token, `None` where there is none."""

    def __init__(self, runtime: Runtime, token: str | None) -> None:
        self._runtime = runtime
        self._token = None if token is None else _digest(token)

    def actor(self, headers: Headers, scope: KeyScope) -> str:
        """In whose name a request comes.

        Raises `Unauthenticated`, `NotAllowed` for a key of other scopes, `StoreUnavailable` while keys are unknown.
        """
        presented = _presented(headers)
        if self._token is not None and any([compare_digest(_digest(one), self._token) for one in presented]):
            return TOKEN
        if not any(one.startswith(PREFIX) for one in presented):
            raise no_token()
        self._runtime.stations.orders.require_known()
        return f"key:{self._runtime.keys().authenticate(headers, scope=scope).name}"


def refuse_foreign(headers: Headers) -> None:
    """Raise `NotAllowed` for what a browser sends in the name of a page that is not ours (CSRF)."""
    origin = get(headers, "origin")
    if origin is not None and origin.partition("://")[2] != get(headers, "host"):
        raise foreign(origin)
    if (get(headers, "sec-fetch-site") or "none") not in OWN_SITES:
        raise foreign(get(headers, "sec-fetch-site") or "")


def _presented(headers: Headers) -> list[str]:
    bearer = get(headers, "authorization") or ""
    carried = [
        get(headers, "x-api-key"),
        bearer[len(BEARER) :].strip() if bearer.lower().startswith(BEARER) else None,
    ]
    return [one for one in carried if one]


def _digest(text: str) -> bytes:
    """Equal lengths, so that comparing tells nothing about that of the token."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
