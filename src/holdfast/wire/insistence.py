"""Which callers send a failed request again whatever the answer says."""

from holdfast.wire.headers import Headers, get

_MARKS = ("ai-sdk/",)
"""Marks in the `user-agent` of clients that do not read `x-should-retry`: the AI SDK, measured with 6.0."""


def insists(headers: Headers) -> bool:
    """Whether this client repeats itself after every failure: two owners of retries would multiply them."""
    agent = get(headers, "user-agent") or ""
    return any(word.startswith(_MARKS) for word in agent.split())
