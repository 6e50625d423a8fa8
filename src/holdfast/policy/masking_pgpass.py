"""Passwords in lines of `.pgpass`: host, port, database, user and password with colons between them."""

import re
from collections.abc import Iterator

from holdfast.policy.masking_findings import Finding
from holdfast.policy.masking_names import is_code, is_placeholder, looks_secret

_LINE = re.compile(
    r"(?:(?<![\w.\-:*/@\\])|(?<=\\n))(?P<host>\*|[\w.\-/]{1,253}+):(?P<port>\*|[0-9]{4,5}):"
    r"(?:\*|[A-Za-z_][\w\-]{0,62}+):(?P<user>\*|[A-Za-z_][\w.\-]{0,62}+):"
    r"(?P<password>(?:[^\s:\\\"'`<>,;]|\\[:\\]){4,256}+)(?=\\+[nr]|[\s\"'`<>,;]|\Z)",
    re.ASCII,
)
_ADDRESS = re.compile(
    r"(?!(?:tcp|udp)\Z)(?:localhost|\*|/\S*|(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[A-Za-z][\w\-]*(?:\.[\w\-]+)*)"
)
_SERVERS = re.compile(r"\*|54[0-9]{2}|64[0-9]{2}|1543[0-9]|26257")
"""The ports that PostgreSQL, its poolers and its kin listen on."""


def find_pgpass(text: str) -> Iterator[Finding]:
    """The password of every line that reads like one of `.pgpass`.

    At a port of no PostgreSQL only what looks like a password is taken for one.
    """
    if text.count(":") < 4:
        return
    for found in _LINE.finditer(text):
        value = found["password"]
        if is_placeholder(value) or is_code(value) or _ADDRESS.fullmatch(found["host"]) is None:
            continue
        if _SERVERS.fullmatch(found["port"]) or looks_secret(value):
            yield Finding("secret", *found.span("password"), rule="line of .pgpass")
