"""A browser without a screen: cookies, forms with their marks, redirects only when they are followed."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tests.admin.operating import TOKEN
from tests.doors.running import RunningGateway
from tests.doors.talking import Heard, ask

FORM = "application/x-www-form-urlencoded"
MARK = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(kw_only=True)
class Browser:
    """One browser; `language` is what it likes to read."""

    gateway: RunningGateway
    language: str = "en"
    cookies: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def host(self) -> str:
        return self.gateway.url.removeprefix("http://")

    def get(self, path: str, **headers: str) -> Heard:
        """An answer, whatever it is; names of headers with `_` for `-`."""
        return self._heard("GET", path, b"", _named(headers))

    def html(self, path: str) -> str:
        """A page that is shown."""
        heard = self.get(path)
        assert heard.status == 200, (path, heard)
        assert heard.headers["content-type"].startswith("text/html")
        return heard.body.decode()

    def json(self, path: str) -> dict[str, Any]:
        """What a path tells."""
        heard = self.get(path)
        assert heard.status == 200, (path, heard)
        return heard.json

    def post(
        self,
        path: str,
        form: Mapping[str, str],
        *,
        marked: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> Heard:
        """Send a form, with the mark of this login unless told otherwise."""
        fields = {**form, **({"csrf": self.mark()} if marked else {})}
        own = {"origin": self.gateway.url, "sec-fetch-site": "same-origin", "content-type": FORM}
        return self._heard("POST", path, urlencode(fields).encode(), {**own, **_named(headers or {})})

    def mark(self) -> str:
        """What every form of this login carries."""
        found = MARK.search(self.html("/console/runs"))
        assert found is not None
        return html.unescape(found[1])

    def enter(self, token: str = TOKEN) -> Heard:
        """Log in with a token."""
        return self.post("/console/login", {"token": token}, marked=False)

    def ticket(self, role: str = "operator", token: str = TOKEN) -> str:
        """A fresh link."""
        path = f"/console/tickets?role={role}"
        heard = ask(
            self.gateway.url, method="POST", path=path, headers={"x-api-key": token, "host": self.host}
        )
        assert heard.status == 201, heard
        return str(heard.json["path"])

    def _heard(self, method: str, path: str, body: bytes, extra: Mapping[str, str]) -> Heard:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {
            "host": self.host,
            "x-api-key": "",
            "content-type": "",
            "cookie": cookies,
            "accept-language": self.language,
            **extra,
        }
        heard = ask(self.gateway.url, body, method=method, path=path, headers=headers)
        self._keep(heard.headers.get("set-cookie", ""))
        return heard

    def _keep(self, set_cookie: str) -> None:
        if set_cookie:
            name, _, rest = set_cookie.partition("=")
            value, _, attributes = rest.partition(";")
            if "max-age=0" in attributes.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value.strip('"')


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def in_query(text: str) -> str:
    """A text as it stands in a query."""
    return quote(text, safe="")
