"""A call as an upstream should receive it: the client's own bytes, and the right credential."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from holdfast.call import Call
from holdfast.errors import NotAllowed
from holdfast.language import Sentence
from holdfast.policy.routing import Account, UpstreamConfig
from holdfast.upstream.client import Client, UpstreamRequest
from holdfast.upstream.gates import fingerprint
from holdfast.wire.headers import Headers, get, merged, request_headers

MESSAGES = "/v1/messages"
FIRST_KEY = "key"
"""What a key is called that came from no variable."""
CREDENTIALS = ("x-api-key", "authorization")

_PATH_SAFE = "/:@!$&'()*+,;=~"
_QUERY_SAFE = _PATH_SAFE + "?%[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One Messages API that is open for calls; without a `key` each caller's own is passed on.

    `further` keys, by name, stand in when the first one may not be used.
    """

    name: str
    config: UpstreamConfig
    client: Client
    key: str | None = field(default=None, repr=False)
    further: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def accounts(self, headers: Headers) -> tuple[Account, ...]:
        """On whose account a call with these headers may go here, in order.

        A caller's own key goes by its fingerprint and is of no organisation of ours: what its upstream holds
        against it concerns nobody else.
        """
        if self.key is None:
            shown = [value for name in CREDENTIALS if (value := get(headers, name)) is not None]
            return (Account(credential=fingerprint("\n".join(shown))),)
        names = (self.config.key_env or FIRST_KEY, *self.further)
        return tuple(Account(credential=name, organisation=self.config.organisation) for name in names)

    def request(self, call: Call, account: Account) -> UpstreamRequest:
        """The request of a Messages call on that account."""
        key = self.further.get(account.credential, self.key)
        sender = self if key is self.key else replace(self, key=key)
        return sender.forwarded("POST", MESSAGES, call.query, call.headers, call.body)

    def forwarded(self, method: str, path: str, query: str, headers: Headers, body: bytes) -> UpstreamRequest:
        """Any request, with hop-by-hop headers dropped and the credential exchanged for ours if we have one.

        `path` is decoded, as ASGI and the official SDK have it; `query` is not. Raises `NotAllowed` for a path
        that climbs: it would carry our key to places that nobody decided to serve.
        """
        if self.key is not None:
            credential = {"x-api-key": self.key}
        else:
            credential = {name: value for name in CREDENTIALS if (value := get(headers, name)) is not None}
        return UpstreamRequest(
            method=method,
            path=_target(path, query),
            headers=merged(request_headers(headers), credential),
            body=body,
        )


def _target(path: str, query: str) -> str:
    if any(part in (".", "..") for part in path.split("/")):
        raise NotAllowed(
            Sentence(
                "The path holds `.` or `..`, which is not passed on; write the path out.",
                ko="경로에 `.` 또는 `..`이(가) 있어 전달하지 않습니다. 전체 경로를 그대로 적으세요.",
            )
        )
    target = quote(path, safe=_PATH_SAFE)
    return (
        f"{target}?{quote(query, safe=_QUERY_SAFE, encoding='latin-1', errors='replace')}"
        if query
        else target
    )
