"""Ways through the console: where it begins, and that no form sends anybody elsewhere."""

from urllib.parse import urlencode

from starlette.responses import Response

ROOT = "/console"
HOME = f"{ROOT}/now"


def login_path(ticket: str) -> str:
    """Where a ticket opens the console."""
    return f"{ROOT}/login?{urlencode({'token': ticket})}"


def go(to: str) -> Response:
    """An answer that sends a browser on to a page."""
    return Response(status_code=303, headers={"location": to})


def own_path(asked: str | None) -> str:
    """A page of ours that somebody wants to come back to, else the first one."""
    if asked is None or not asked.startswith(f"{ROOT}/") or not asked.isascii() or not asked.isprintable():
        return HOME
    path = asked.partition("?")[0]
    return HOME if "\\" in asked or "//" in path or ".." in path else asked
