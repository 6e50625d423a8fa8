"""The environment in which a program talks to Claude through a gateway, and through nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from holdfast.identity import named

BASE_URL, AUTH_TOKEN, API_KEY = "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"
CUSTOM_HEADERS = "ANTHROPIC_CUSTOM_HEADERS"
RUN, USER = "x-holdfast-run", "x-holdfast-user"

ELSEWHERE = (
    *(
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
        "CLAUDE_CODE_USE_FOUNDRY",
        "CLAUDE_CODE_USE_MANTLE",
    ),
    *("CLAUDE_CODE_USE_ANTHROPIC_AWS", "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD", "CLAUDE_CODE_USE_GATEWAY"),
    *(
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR",
        "CLAUDE_CODE_SESSION_ACCESS_TOKEN",
    ),
    *("CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR", "ANTHROPIC_UNIX_SOCKET"),
)
"""What would lead Claude Code to another provider, or make it show another credential."""
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
}
"""What keeps Claude Code from talking to anybody but the gateway; who sets these otherwise means it."""
SECRETS = ("HOLDFAST_ADMIN_TOKEN", "HOLDFAST_TOKEN")
"""What opens the Admin API: nothing that a model runs may raise its own budget."""
_PROXY_EXCEPTIONS = ("NO_PROXY", "no_proxy")
_CREDENTIALS = ("authorization", "x-api-key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where a program finds its gateway, what it shows there, and what its calls are part of.

    Attributes:
        token: `None` leaves the credentials of the program as they are.
        hidden: variables that hold keys which the program does not need.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    run: str
    user: str | None = None
    hidden: tuple[str, ...] = ()


def environment(way: Way, known: Mapping[str, str]) -> dict[str, str]:
    """What to lay over the variables that are `known`, for the program to take this way."""
    return {
        **{name: value for name, value in QUIET.items() if name not in known},
        **dict.fromkeys(ELSEWHERE, ""),
        **{name: "" for name in hidden(way) if known.get(name)},
        **_credentials(way),
        **_past_proxies(way, known),
        BASE_URL: way.url,
        CUSTOM_HEADERS: headers(way, known.get(CUSTOM_HEADERS, "")),
    }


def hidden(way: Way) -> tuple[str, ...]:
    """The variables that nothing below may see, and those that name files of the same content."""
    names = (*SECRETS, *way.hidden)
    return (*names, *(f"{name}_FILE" for name in names))


def headers(way: Way, known: str) -> str:
    """The headers that Claude Code is to send: those it sends already, its run, its user, and no credential."""
    ours = {RUN: way.run} | ({} if way.user is None else {USER: way.user})
    taken = {*ours, *(_CREDENTIALS if way.token is not None else ())}
    kept = [line for line in known.splitlines() if line.partition(":")[0].strip().lower() not in taken]
    return "\n".join((*kept, *(f"{name}: {_on_the_wire(value)}" for name, value in ours.items())))


def _credentials(way: Way) -> dict[str, str]:
    """Claude Code shows every credential that it has: one that is not for the gateway must not be among them."""
    return {} if way.token is None else {AUTH_TOKEN: way.token, API_KEY: ""}


def _past_proxies(way: Way, known: Mapping[str, str]) -> dict[str, str]:
    """A proxy does not find this machine's own address; a request that takes it never comes to an end."""
    host = urlsplit(way.url).hostname or ""
    if host not in ("127.0.0.1", "::1", "localhost"):
        return {}
    listed = next((known[name] for name in _PROXY_EXCEPTIONS if known.get(name)), "")
    hosts = dict.fromkeys((*(part.strip() for part in listed.split(",") if part.strip()), host))
    return dict.fromkeys(_PROXY_EXCEPTIONS, ",".join(hosts))


def _on_the_wire(name: str) -> str:
    """A name as a header carries it: one line, of the bytes of UTF-8, which clients write one by one."""
    return (named(name) or "").encode().decode("latin-1")
