"""`/v1/files`: upload, list, look at and delete files."""

from datetime import timedelta
from typing import TYPE_CHECKING

from holdfast.simulator.dice import dice, identifier
from holdfast.simulator.exchange import Exchange
from holdfast.simulator.files import StoredFile
from holdfast.simulator.listing import paged
from holdfast.simulator.multipart import Part, parts
from holdfast.simulator.problems import ApiError, invalid
from holdfast.simulator.values import JsonObject

if TYPE_CHECKING:
    from holdfast.simulator.app import Simulator

LONGEST_NAME = 255
FORBIDDEN = frozenset('<>:"|?*\\/')


def answered(simulator: "Simulator", exchange: Exchange, rest: list[str]) -> JsonObject:
    """The answer to a request below `/v1/files`."""
    match exchange.method, rest:
        case "POST", []:
            return _upload(simulator, exchange).wire()
        case "GET", []:
            files = simulator.files.of(exchange.key)
            return paged([file.wire() for file in files], exchange.query, "file")
        case "GET", [name]:
            return simulator.files.find(name, exchange.key).wire()
        case "GET", [name, "content"]:
            simulator.files.find(name, exchange.key)
            invalid(f"File {name} is not downloadable: only files made by tools are.")
        case "DELETE", [name]:
            simulator.files.remove(simulator.files.find(name, exchange.key))
            return {"id": name, "type": "file_deleted"}
        case _:
            raise ApiError(status=404, message="Not found")


def _upload(simulator: "Simulator", exchange: Exchange) -> StoredFile:
    if exchange.too_large:
        raise ApiError(status=413, message=f"Request exceeds the maximum size of {exchange.most} bytes")
    form = parts(exchange.headers.get("content-type", ""), exchange.body)
    given = next((part for part in form if part.name == "file" and part.filename is not None), None)
    if given is None:
        invalid("file: Field required")
    now, seconds = simulator.clock.now(), _seconds(form)
    stored = StoredFile(
        id=identifier("file", dice(exchange.request_id)),
        key=exchange.key,
        filename=_name(given),
        mime_type=given.mime_type,
        data=given.data,
        created_at=now,
        expires_at=None if seconds is None else now + timedelta(seconds=seconds),
    )
    simulator.files.add(stored)
    return stored


def _name(given: Part) -> str:
    name = given.filename or ""
    if not 0 < len(name) <= LONGEST_NAME or FORBIDDEN & set(name) or not name.isprintable():
        invalid(f'file: the filename must have 1 to {LONGEST_NAME} characters, and none of <>:"|?*\\/')
    return name


def _seconds(form: list[Part]) -> int | None:
    text = next(
        (part.data.decode("utf-8", "replace") for part in form if part.name == "expires_in_seconds"), None
    )
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        invalid("expires_in_seconds: Input should be a valid integer greater than 0")
    return int(text)
