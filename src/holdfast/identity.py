"""Who is calling, read from the headers that any Anthropic client can send."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from unicodedata import normalize
from urllib.parse import quote

from holdfast.call import Principal
from holdfast.errors import MalformedRequest
from holdfast.language import Sentence
from holdfast.policy.masking import MaskingConfig, find
from holdfast.policy.sanitation import sanitize
from holdfast.wire.headers import Headers, get

LONGEST = 200
"""Characters of a name that are kept: these come from the caller and end up in the ledger."""
MOST_TAGS = 10
SECRETS = MaskingConfig(kinds=frozenset({"key", "jwt", "private_key"}))
"""What a caller may send as a name by mistake, and what then must not be kept."""
TAGS = "x-holdfast-tags"
"""`team=search, feature=chat`: whatever else budgets and reports shall tell apart."""


def identified(principal: Principal, headers: Headers) -> Principal:
    """The same caller with what a request says of its user, run, agent and tags.

    Raises `MalformedRequest` for tags that cannot be read: a slip there must not get a call round a budget.
    """
    return replace(
        principal,
        user=_name(get(headers, "x-holdfast-user")) or principal.user,
        # What somebody has written there on purpose goes before what Claude Code always sends.
        run=_name(get(headers, "x-holdfast-run") or get(headers, "x-claude-code-session-id"))
        or principal.run,
        agent=_name(get(headers, "x-claude-code-agent-id")) or principal.agent,
        parent=_name(get(headers, "x-claude-code-parent-agent-id")) or principal.parent,
        tags={**_tags(get(headers, TAGS)), **principal.tags},
    )


def kept(principal: Principal, user: str | None = None) -> Principal:
    """The same caller under names that can be kept; `user` is whom its request names, if nobody else does."""
    return replace(
        principal,
        user=named(principal.user) or named(user),
        run=named(principal.run),
        agent=named(principal.agent),
        parent=named(principal.parent),
    )


def named(value: str | None) -> str | None:
    """A name of one line, of at most `LONGEST` characters; `None` for one that nobody can see.

    Two names that look alike for want of a composed letter, or by what cannot be seen, are one: a budget of one
    of them must hold for the other. No database keeps a NUL, and a call that cannot be written down is not paid.
    What has the shape of a key gets another name, which tells it from others and cannot be used.
    """
    if not value:
        return None
    shown = normalize("NFC", sanitize(value, collapse_whitespace=True))
    return harmless(shown[: 4 * LONGEST])[:LONGEST].rstrip() or None


def owned(key: str, run: str) -> str:
    """A run as one of its key, so that no two keys share a run: `web/7f2c`, and no other pair is called so.

    A key whose name holds a border, or what a name cannot keep, stands there percent-encoded; what would be cut
    off at `LONGEST` characters stands there as its fingerprint.
    """
    is_plain = named(key) == key and not any(sign in key for sign in "/%")
    owner = key if is_plain else quote(key, safe="", errors="surrogatepass")
    if len(owner) > LONGEST // 2:
        owner = f"%sha256:{_fingerprint(key)}"  # no percent sign of an encoded name is followed by an `s`
    whole = f"{owner}/{run}"
    return whole if len(whole) <= LONGEST else f"{owner}/sha256:{_fingerprint(run)}"


def _fingerprint(name: str) -> str:
    return sha256(name.encode(errors="surrogatepass")).hexdigest()[:32]


@lru_cache(maxsize=4096)
def harmless(name: str) -> str:
    """A name that came from outside, or one that stands for it if it holds a key."""
    found = find(name, SECRETS) if len(name) > 16 else ()
    return f"hidden-{found[0].kind}-{sha256(name.encode()).hexdigest()[:16]}" if found else name


def _tags(value: str | None) -> Mapping[str, str]:
    pairs = [pair.partition("=") for pair in (value or "").split(",") if pair.strip()]
    tags = {_name(name) or "": _name(content) or "" for name, _, content in pairs}
    if len(pairs) > MOST_TAGS or len(tags) < len(pairs) or not all(name and tags[name] for name in tags):
        raise MalformedRequest(
            Sentence(
                f"{TAGS}: write at most {MOST_TAGS} different tags as `team=search, feature=chat`",
                ko=f"{TAGS}: `team=search, feature=chat`처럼 서로 다른 태그를 {MOST_TAGS}개까지 적으세요",
            )
        )
    return tags


def _name(value: str | None) -> str | None:
    """A name as it was meant: clients write UTF-8 into headers, HTTP reads latin-1."""
    try:
        return named((value or "").encode("latin-1").decode("utf-8"))
    except UnicodeError:
        return named(value)
