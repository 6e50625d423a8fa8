"""A call as an upstream should receive it: the client's own bytes, and the right credential."""

from dataclasses import dataclass
from urllib.parse import quote

from holdfast.errors import NotAllowed
from holdfast.language import Sentence
from holdfast.pipeline import Call
from holdfast.policy.routing import UpstreamConfig
from holdfast.upstream.client import Client, UpstreamRequest
from holdfast.wire.headers import Headers, get, merged, request_headers

MESSAGES = "/v1/messages"
CREDENTIALS = ("x-api-key", "authorization")

_PATH_SAFE = "/:@!$&'()*+,;=~"
_QUERY_SAFE = _PATH_SAFE + "?%[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One Messages API that is open for calls; without a `key` each caller's own is passed on."""

    name: str
    config: UpstreamConfig
    client: Client
    key: str | None = None

    def request(self, call: Call) -> UpstreamRequest:
        """The request of a Messages call."""
        return self.forwarded("POST", MESSAGES, call.query, call.headers, call.body)

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
