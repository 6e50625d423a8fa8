"""Pins of tools over the Admin API: which descriptions callers' tools are trusted with, and which are refused."""

from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.pages import by_name, page
from holdfast.admin.refusals import missing
from holdfast.admin.shapes import NoBody, Page, PageQuery, PinBody, Query, ToolBody, ToolPin
from holdfast.language import Sentence
from holdfast.operations import tool_pins
from holdfast.operations.desk import Desk
from holdfast.policy.pins import Pin

PATH = "/api/v1/tool-pins"


async def list_pins(asked: Asked[PageQuery, NoBody]) -> object:
    """Every pin, in the order of scopes and tools."""
    rows, following = by_name(await tool_pins.readable_pins(asked.desk), _place, asked.query)
    return page((tool_pins.pin_facts(pin) for pin in rows), following)


async def approve(asked: Asked[Query, PinBody]) -> object:
    """Trust a tool with one description."""
    desk, body = asked.desk, asked.body
    pin = await tool_pins.approve(
        desk.store, body.scope, body.tool, body.fingerprint, at=desk.now, actor=desk.actor
    )
    return tool_pins.pin_facts(pin)


async def refuse(asked: Asked[Query, ToolBody]) -> object:
    """Refuse a tool, whatever it says."""
    desk, body = asked.desk, asked.body
    pin = await tool_pins.refuse(desk.store, body.scope, body.tool, at=desk.now, actor=desk.actor)
    return tool_pins.pin_facts(pin)


async def forget(asked: Asked[Query, NoBody]) -> object:
    """Pin a tool anew when it is next seen."""
    pin = await _pin(asked.desk, asked.names["id"])
    await tool_pins.forget(asked.desk.store, pin.scope, pin.tool, actor=asked.desk.actor)
    return tool_pins.pin_facts(pin)


async def _pin(desk: Desk, which: str) -> Pin:
    for pin in await tool_pins.readable_pins(desk):
        if pin.name == which:
            return pin
    raise missing(Sentence(f"tool pin `{which}`", ko=f"`{which}` 도구 고정 기록을"))


def _place(pin: Pin) -> str:
    return f"{pin.scope}\0{pin.tool}"


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path=PATH,
        name="listToolPins",
        summary="List the tools that were seen or judged, by key and name",
        work=list_pins,
        gives=Page[ToolPin],
        query=PageQuery,
        body=NoBody,
    ),
    Operation(
        method="POST",
        path=PATH,
        name="approveTool",
        summary="Trust a tool of a key with one description, by its fingerprint",
        work=approve,
        gives=ToolPin,
        query=Query,
        body=PinBody,
        status=201,
    ),
    Operation(
        method="POST",
        path=f"{PATH}/refuse",
        name="refuseTool",
        summary="Refuse every request of a key that offers a tool, whatever the tool says of itself",
        work=refuse,
        gives=ToolPin,
        query=Query,
        body=ToolBody,
        status=201,
    ),
    Operation(
        method="DELETE",
        path=f"{PATH}/{{id}}",
        name="forgetTool",
        summary="Pin a tool anew when it is next seen",
        work=forget,
        gives=ToolPin,
        query=Query,
        body=NoBody,
    ),
)
