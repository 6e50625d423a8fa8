"""Who is calling, read from the headers any Anthropic client sends."""

from holdfast.pipeline import Principal
from holdfast.wire.headers import Headers, get

LONGEST = 200
"""Characters of a name that are kept: these come from the caller and end up in the ledger."""


def principal(headers: Headers) -> Principal:
    """The caller: user, run and agent as far as the request tells."""
    return Principal(
        door="gateway",
        user=_name(get(headers, "x-holdfast-user")),
        run=_name(get(headers, "x-claude-code-session-id") or get(headers, "x-holdfast-run")),
        agent=_name(get(headers, "x-claude-code-agent-id")),
    )


def _name(value: str | None) -> str | None:
    """A name as it was meant: clients write UTF-8 into headers, HTTP reads latin-1."""
    if not value:
        return None
    try:
        return value.encode("latin-1").decode("utf-8")[:LONGEST]
    except UnicodeError:
        return value[:LONGEST]
