"""An operator of a real gateway, who holds every answer against the OpenAPI document's own types."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote, urlsplit

import msgspec
import pytest
from starlette.routing import compile_path

from holdfast.admin.app import OPERATIONS
from holdfast.admin.operation import AnyOperation
from tests.doors.running import RunningGateway, eventually
from tests.doors.talking import JSON, QUESTION, Heard, ask

TOKEN = "an-admin-token-of-the-tests"
in_memory = pytest.mark.parametrize("store_url", ["memory:"])
"""For what is refused before any store is asked."""

PATTERNS = [(operation, compile_path(operation.path)[0]) for operation in OPERATIONS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Whoever has the token `token`."""

    gateway: RunningGateway
    token: str = TOKEN
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def ask(
        self,
        method: str,
        path: str,
        body: object = b"",
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Heard:
        """An answer, whatever it is; one that succeeds has the documented shape."""
        said = {"x-api-key": self.token, **self.headers, **(headers or {})}
        heard = ask(self.gateway.url, body, method=method, path=path, headers=said)
        if heard.status < 300:
            expect_shape(method, path, heard)
        else:
            assert heard.error_type
        return heard

    def get(self, path: str) -> dict[str, Any]:
        """What a path tells."""
        return self._done("GET", path)

    def put(self, path: str, body: object) -> dict[str, Any]:
        return self._done("PUT", path, body)

    def post(self, path: str, body: object = b"") -> dict[str, Any]:
        return self._done("POST", path, body)

    def delete(self, path: str) -> dict[str, Any]:
        return self._done("DELETE", path)

    def refused(self, method: str, path: str, body: object = b"") -> tuple[int, str]:
        """The status and the message of a refusal."""
        heard = self.ask(method, path, body)
        assert heard.status >= 400, heard
        return heard.status, cast("str", heard.json["error"]["message"])

    def call(self, **headers: str) -> Heard:
        """A Messages call of somebody else."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.gateway.url, QUESTION, headers=named)

    def answered(self, **headers: str) -> str:
        """The id of a call that was answered and is in the book."""
        heard = self.call(**headers)
        assert heard.status == 200, heard
        name = heard.headers["x-holdfast-request-id"]
        eventually(lambda: any(one.request_id == name for one in self.gateway.records()))
        return name

    def _done(self, method: str, path: str, body: object = b"") -> dict[str, Any]:
        heard = self.ask(method, path, body)
        assert heard.status in (200, 201), heard
        return heard.json


def expect_shape(method: str, path: str, heard: Heard) -> None:
    """The answer has what the document says of it, and nothing else."""
    operation = operation_at(method, path)
    assert heard.status == operation.status
    assert heard.headers["cache-control"] == "no-store"
    assert heard.headers["request-id"] == heard.headers["x-holdfast-request-id"]
    if operation.gives is None:
        return
    assert heard.headers["content-type"] == JSON["content-type"]
    told = msgspec.json.decode(heard.body, type=operation.gives)
    assert json.loads(msgspec.json.encode(told)) == heard.json


def operation_at(method: str, path: str) -> AnyOperation:
    """The operation that a request is for."""
    written = urlsplit(path).path
    return next(one for one, pattern in PATTERNS if one.method == method and pattern.fullmatch(written))


def named(name: str) -> str:
    """A name as it stands in a path."""
    return quote(name, safe="")
