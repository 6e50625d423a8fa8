"""The OpenAPI document: all of the routes, nothing else, and everything it refers to."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, cast

import pytest

from holdfast.admin.app import DOCUMENT, OPERATIONS, Administration
from holdfast.assembly import Runtime
from tests.admin.operating import Operator
from tests.doors.talking import ask

METHODS = {"get", "put", "post", "delete"}


@pytest.fixture
def store_url() -> str:
    return "memory:"


@pytest.fixture
def document(operator: Operator) -> dict[str, Any]:
    return ask(operator.gateway.url, method="GET", path=DOCUMENT).json


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in cast("dict[str, object]", value).items():
            if name == "$ref":
                yield str(inner)
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from references(inner)


def test_it_can_be_read_without_a_token(operator: Operator) -> None:
    heard = ask(operator.gateway.url, method="GET", path=DOCUMENT, headers={"x-api-key": ""})
    assert (heard.status, heard.json["openapi"]) == (200, "3.1.0")


def test_it_has_every_route_and_no_other(document: dict[str, Any]) -> None:
    told = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert told == {(one.method, one.path) for one in OPERATIONS}
    assert {method for item in document["paths"].values() for method in item} <= METHODS


def test_every_path_it_names_takes_the_methods_it_names(document: dict[str, Any]) -> None:
    def closed() -> Runtime:
        raise AssertionError("nothing is asked")

    routes = Administration(closed, token=None)
    for path, item in document["paths"].items():
        assert {method.upper() for method in item} <= set(routes.allowed(path))


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(document: dict[str, Any]) -> None:
    operations = [one for item in document["paths"].values() for one in item.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        assert one["summary"]
        assert {"400", "401", "403", "503"} <= set(one["responses"])


def test_everything_it_refers_to_is_there_and_nothing_else(document: dict[str, Any]) -> None:
    wanted = {name.rpartition("/")[2] for name in references(document)}
    assert wanted == set(document["components"]["schemas"])


def test_every_name_in_a_path_is_a_parameter(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            told = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
            assert told == re.findall(r"{(\w+)}", path)


def test_what_is_optional_in_a_body_need_not_be_said(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["BudgetChange"]["required"] == []
    assert schemas["KeyBody"]["required"] == ["name"]
    assert schemas["StopBody"]["properties"].keys() == {"scope", "value", "reason", "for", "until"}


@pytest.mark.parametrize("module", ["holdfast", "holdfast.gateway.app", "holdfast.hold", "holdfast.cli.main"])
def test_the_data_plane_and_the_library_load_nothing_of_this(module: str) -> None:
    code = f"import sys, json, {module}; print(json.dumps(list(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = json.loads(run.stdout)
    assert not [name for name in loaded if name.startswith(("starlette", "holdfast.admin"))]
