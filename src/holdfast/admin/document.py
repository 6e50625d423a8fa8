"""The OpenAPI 3.1 document, made of the operations themselves."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from holdfast.admin.operation import AnyOperation
from holdfast.admin.shapes import NoBody
from holdfast.version import __version__

REFERENCE = "#/components/schemas/{name}"
_NAME = re.compile(r"{([a-z_]+)}")
REFUSALS = {
    "400": "The request says what it must not.",
    "401": "No admin token and no key.",
    "403": "The key is not for this, or a page of another site asks.",
    "404": "There is nothing of that name.",
    "413": "The body is too large.",
    "503": "The database does not answer.",
}


class ErrorBody(msgspec.Struct, kw_only=True):
    """What went wrong."""

    type: str
    message: str
    details: dict[str, Any] = {}


class Error(msgspec.Struct, kw_only=True):
    """The error envelope of the Messages API."""

    type: str
    error: ErrorBody
    request_id: str


def document(operations: Sequence[AnyOperation]) -> dict[str, object]:
    """The document of these operations."""
    kinds = [kind for one in operations for kind in (one.gives, one.query, one.body) if kind is not None]
    schemas, components = msgspec.json.schema_components([Error, *kinds], ref_template=REFERENCE)
    known = dict(zip(map(repr, [Error, *kinds]), schemas, strict=True))
    # Parameters are shown one by one, and a body that says nothing not at all.
    unshown = {_component(known[repr(kind)]) for one in operations for kind in (one.query, NoBody)}
    paths: dict[str, dict[str, object]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, known, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "holdfast Admin API",
            "version": __version__,
            "description": "Money is decimal text in dollars (in cents under /v1/organizations), times are RFC 3339.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}, {"key": []}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in unshown},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _operation(one: AnyOperation, known: dict[str, Any], components: dict[str, Any]) -> dict[str, object]:
    described: dict[str, object] = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"Needs the admin token, or a key with the scope {one.scope}.",
        "tags": [one.path.split("/")[:4][-1]],
        "parameters": [*_names(one.path), *_parameters(components[_component(known[repr(one.query)])])],
        "responses": {
            str(one.status): _file(one.files) if one.gives is None else _answer(known[repr(one.gives)]),
            **{
                status: {"description": said, **_content(known[repr(Error)])}
                for status, said in REFUSALS.items()
            },
        },
    }
    if one.body is not NoBody:
        described["requestBody"] = _content(known[repr(one.body)])
    return described


def _names(path: str) -> Iterable[dict[str, object]]:
    for name in _NAME.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _parameters(query: dict[str, Any]) -> Iterable[dict[str, object]]:
    required = query.get("required", [])
    for name, schema in query["properties"].items():
        yield {"name": name, "in": "query", "required": name in required, "schema": schema}


def _component(schema: dict[str, str]) -> str:
    return schema["$ref"].rpartition("/")[2]


def _file(kinds: Iterable[str]) -> dict[str, object]:
    text = {"schema": {"type": "string"}}
    return {"description": "The file.", "content": dict.fromkeys(kinds, text)}


def _answer(schema: dict[str, Any]) -> dict[str, object]:
    return {"description": "Done.", **_content(schema)}


def _content(schema: dict[str, Any]) -> dict[str, object]:
    return {"content": {"application/json": {"schema": schema}}}
