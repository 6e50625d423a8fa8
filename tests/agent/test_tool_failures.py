"""Tools that break in ways of their own: the model is told, and the conversation goes on."""

import asyncio
import concurrent.futures
import functools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import msgspec
import pydantic
import pytest

from holdfast import ConfigError, Holdfast
from holdfast.agent import toolbox
from holdfast.agent.signature import schema_of
from holdfast.agent.tools import Tool, ToolError, ToolResult, shown_result, tool
from holdfast.agent.toolthreads import ToolThreads
from holdfast.simulator.replies import Turn
from tests.agent.conftest import World

MIB = 1024 * 1024


async def told(world: World, hold: Holdfast, broken: Tool, **given: object) -> dict[str, Any]:
    """What the model is told of one call; the conversation has to end with its answer."""
    world.simulator.say(Turn(tools=((broken.name, given),)), "Well.")
    reply = await asyncio.wait_for(hold.agent(tools=[broken]).chat("Go"), 10)
    assert (reply.text, reply.outcome) == ("Well.", "answered")
    result: dict[str, Any] = world.bodies()[-1]["messages"][-1]["content"][0]
    return result


def sync(breaks: Callable[[], object], **options: Any) -> Tool:
    """A tool that runs in a thread."""

    def look() -> object:
        return breaks()

    return tool(description="Look.", **options)(look)


def coroutine(breaks: Callable[[], object], **options: Any) -> Tool:
    """A tool that runs in the event loop."""

    async def look() -> object:
        return breaks()

    return tool(description="Look.", **options)(look)


def raising(sort: type[BaseException], *said: object) -> Callable[[], object]:
    def breaks() -> object:
        raise sort(*said)

    return breaks


@pytest.mark.parametrize("made", [sync, coroutine])
@pytest.mark.parametrize("limit", [None, 60])
async def test_a_time_out_of_the_tool_itself_is_its_failure_and_not_a_limit(
    world: World, hold: Holdfast, made: Callable[..., Tool], limit: float | None
) -> None:
    result = await told(world, hold, made(raising(TimeoutError, "socket"), timeout=limit))

    assert (result["content"], result["is_error"]) == ("The tool failed (TimeoutError).", True)


async def test_what_exceeds_its_limit_is_told_with_the_limit(world: World, hold: Holdfast) -> None:
    @tool(timeout=0.01)
    async def look() -> str:
        """Look."""
        await asyncio.sleep(60)
        return "late"

    assert (await told(world, hold, look))["content"] == "The tool gave no result within 0.01 seconds."


@pytest.mark.parametrize("made", [sync, coroutine])
@pytest.mark.parametrize(
    ("error", "name"),
    [
        (SystemExit, "SystemExit"),
        (asyncio.CancelledError, "CancelledError"),
        (concurrent.futures.CancelledError, "CancelledError"),
        (StopIteration, "RuntimeError"),
        (KeyError, "KeyError"),
    ],
)
async def test_whatever_a_tool_raises_is_a_result_for_the_model(
    world: World, hold: Holdfast, made: Callable[..., Tool], error: type[BaseException], name: str
) -> None:
    assert (await told(world, hold, made(raising(error, "secret"))))[
        "content"
    ] == f"The tool failed ({name})."


async def test_a_task_that_a_tool_cancelled_itself_does_not_end_the_chat(
    world: World, hold: Holdfast
) -> None:
    @tool
    async def look() -> str:
        """Look."""
        own = asyncio.ensure_future(asyncio.sleep(60, "x"))
        own.cancel()
        return await own

    assert (await told(world, hold, look))["content"] == "The tool failed (CancelledError)."


async def test_a_chat_that_its_caller_cancels_ends(world: World, hold: Holdfast) -> None:
    begun = asyncio.Event()

    @tool
    async def look() -> str:
        """Look."""
        begun.set()
        await asyncio.sleep(60)
        return ""

    world.simulator.say(Turn(tools=(("look", {}),)), "Well.")
    chat = asyncio.ensure_future(hold.agent(tools=[look]).chat("Go"))
    await begun.wait()
    chat.cancel()

    with pytest.raises(asyncio.CancelledError):
        await chat
    assert len(world.bodies()) == 1


@pytest.mark.parametrize(
    "breaks",
    [
        lambda: "file \udcff",
        raising(ToolError, "file \udcff"),
        lambda: ToolResult(content="file \udcff", is_error=True),
        lambda: ToolResult(content=[{"type": "text", "text": "file \udcff"}]),
    ],
)
async def test_half_a_character_in_a_result_is_replaced(
    world: World, hold: Holdfast, breaks: Callable[[], object]
) -> None:
    content = (await told(world, hold, sync(breaks)))["content"]

    assert (content if isinstance(content, str) else content[0]["text"]) == "file \ufffd"


class Detached:
    def __str__(self) -> str:
        raise LookupError("detached")


class Endless:
    def model_dump(self, mode: str) -> object:
        raise LookupError(mode)


@pytest.mark.parametrize(
    ("breaks", "name"),
    [
        (Detached, "LookupError"),
        (Endless, "LookupError"),
        (raising(ToolError, Detached()), "LookupError"),
        (lambda: ToolResult(content=[{"type": "image", "source": object()}]), "TypeError"),
        (lambda: ToolResult(content=[{"type": "image", "source": "\udcff"}]), "UnicodeEncodeError"),
    ],
)
async def test_a_result_that_cannot_be_shown_is_a_failure_of_the_tool(
    world: World, hold: Holdfast, breaks: Callable[[], object], name: str
) -> None:
    assert (await told(world, hold, sync(breaks)))["content"] == f"The tool failed ({name})."


class Checked(pydantic.BaseModel):
    code: str

    @pydantic.field_validator("code")
    @classmethod
    def known(cls, code: str) -> str:
        return {"a": "b"}[code]


async def test_a_validator_that_breaks_is_told_by_its_sort_alone(world: World, hold: Holdfast) -> None:
    @tool
    def look(it: Checked) -> str:
        """Look."""
        return it.code

    result = await told(world, hold, look, it={"code": "secret"})
    assert result["content"] == "The tool failed (KeyError)."


async def test_calls_of_many_chats_wait_for_a_thread_without_running_out_of_time(
    world: World, hold: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolbox, "AT_ONCE", 2)

    @tool(timeout=1)
    def look() -> str:
        """Look."""
        threading.Event().wait(0.2)
        return "seen"

    world.simulator.say(*[Turn(tools=(("look", {}),))] * 12, *["Well."] * 12)
    agent = hold.agent(tools=[look])
    await asyncio.gather(*[agent.chat(f"Go {number}") for number in range(12)])
    last: list[Any] = [body["messages"][-1]["content"] for body in world.bodies()]

    assert [one[0]["content"] for one in last if not isinstance(one, str)] == ["seen"] * 12


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


async def test_a_thread_that_outlives_its_time_keeps_its_place_and_nothing_else_is_begun(
    world: World, hold: Holdfast, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolbox, "AT_ONCE", 2)
    monkeypatch.setattr(toolbox, "PATIENCE", 0.1)
    ran: list[int] = []

    @tool(timeout=0.05)
    def look(number: int) -> str:
        """Look."""
        ran.append(number)
        gate.wait(10)
        return "seen"

    world.simulator.say(Turn(tools=tuple(("look", {"number": number}) for number in range(4))), "Well.")
    await hold.agent(tools=[look]).chat("Go")
    contents = [one["content"] for one in world.bodies()[-1]["messages"][-1]["content"]]

    assert contents[:2] == ["The tool gave no result within 0.05 seconds."] * 2
    assert all("was not run" in text for text in contents[2:])
    gate.set()
    await asyncio.sleep(0.05)
    assert sorted(ran) == [0, 1]


async def test_a_place_is_free_again_when_its_thread_is_done(gate: threading.Event) -> None:
    threads = ToolThreads(1)
    first = await threads.begun(lambda: gate.wait(10))
    first.cancel()
    waiting = asyncio.ensure_future(threads.begun(lambda: "second"))
    await asyncio.sleep(0.02)
    assert not waiting.done()

    gate.set()
    assert await (await waiting) == "second"
    threads.close()
    with pytest.raises(RuntimeError):
        await threads.begun(lambda: "never")


def test_each_event_loop_has_threads_of_its_own_and_those_of_closed_ones_go() -> None:
    box = toolbox.Toolbox()

    async def threads() -> ToolThreads:
        assert box.threads() is box.threads()
        return box.threads()

    first, second = asyncio.run(threads()), asyncio.run(threads())

    async def both_go() -> None:
        assert box.threads() not in (first, second)
        assert await (await box.threads().begun(lambda: 1)) == 1

    asyncio.run(both_go())
    assert first is not second
    assert (first.is_over, second.is_over) == (True, True)
    box.close()


def test_a_thread_that_ends_after_its_event_loop_disturbs_nobody(
    gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    workers: list[threading.Thread] = []

    def work() -> None:
        workers.append(threading.current_thread())
        gate.wait(10)

    async def leaves() -> ToolThreads:
        threads = ToolThreads(1)
        await threads.begun(work)
        return threads

    threads = asyncio.run(leaves())
    gate.set()
    threads.close()
    for worker in workers:
        worker.join(10)
    assert not caplog.records


def image(size: int) -> dict[str, object]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * size}}


def test_an_image_that_the_api_would_refuse_is_left_out_and_said_to_be() -> None:
    fits, large = image(5 * MIB), image(5 * MIB + 2048)
    content = shown_result(ToolResult(content=[fits, large]), 100).content

    assert content[0] == fits
    assert isinstance(content[1], dict)
    assert "[left out: a block of type image of 5," in str(content[1]["text"])


def test_all_blocks_of_a_result_together_are_bounded() -> None:
    content = shown_result(ToolResult(content=[image(3 * MIB)] * 4), 100).content

    assert [one["type"] for one in content if isinstance(one, dict)] == ["image", "image", "text", "text"]


class Line(pydantic.BaseModel):
    sku: str


class Order(pydantic.BaseModel):
    lines: list[Line]


class Node(pydantic.BaseModel):
    below: list["Node"] = []


def other_order() -> type[pydantic.BaseModel]:
    """An order whose lines are something else of the same name."""
    lines: Any = cast("Any", list)[pydantic.create_model("Line", count=(int, ...))]
    return pydantic.create_model("Other", lines=(lines, ...))


def resolved(schema: dict[str, Any], reference: str) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"][reference.removeprefix("#/$defs/")]
    return found


def references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in cast("dict[str, object]", schema).items():
            if key == "$ref":
                yield str(value)
            yield from references(value)
    elif isinstance(schema, list):
        for one in cast("list[object]", schema):
            yield from references(one)


@pytest.mark.parametrize("kind", [Order, list[Order], dict[str, Order] | None, Node, list[Node]])
def test_every_reference_of_a_pydantic_model_is_found_at_the_root(kind: Any) -> None:
    schema: dict[str, Any] = schema_of(kind, "it")
    inner = {key: value for key, value in schema.items() if key != "$defs"}

    assert '"$defs"' not in json.dumps([inner, list(schema["$defs"].values())])
    assert all(resolved(schema, reference) for reference in references(schema))


def test_a_definition_of_two_models_is_told_once() -> None:
    schema: dict[str, Any] = schema_of(tuple[Order, list[Order]], "it")

    assert list(schema["$defs"]) == ["Line"]


def test_definitions_of_one_name_are_kept_apart() -> None:
    both: Any = cast("Any", tuple)[Order, other_order()]
    schema: dict[str, Any] = schema_of(both, "it")
    first, second = schema["prefixItems"]
    lines = [resolved(schema, one["properties"]["lines"]["items"]["$ref"]) for one in (first, second)]

    assert [list(line["properties"]) for line in lines] == [["sku"], ["count"]]


@dataclass
class Piece:
    count: int


Box: Any = pydantic.create_model(
    "Box",
    piece=(pydantic.create_model("Piece", sku=(str, ...), number=(int, pydantic.Field(ge=1))), ...),
    weight=(Literal[1, 2], 1),
)


def test_a_definition_of_a_model_does_not_take_the_place_of_a_dataclass_of_its_name() -> None:
    def pack(piece: Piece, box: object) -> str:
        """Pack."""
        return f"{piece} {box}"

    pack.__annotations__["box"] = Box
    schema: dict[str, Any] = dict(tool(pack).input_schema)
    own = resolved(schema, schema["properties"]["piece"]["$ref"])
    inner = resolved(schema, schema["properties"]["box"]["properties"]["piece"]["$ref"])
    assert (list(own["properties"]), list(inner["properties"])) == (["count"], ["sku", "number"])


def test_a_type_hint_that_names_nothing_is_refused() -> None:
    def look(it: object) -> str:
        """Look."""
        return str(it)

    look.__annotations__["it"] = "Nowhere"
    with pytest.raises(ConfigError, match="Nowhere"):
        tool(look)


def test_a_tool_with_a_nested_model_takes_what_its_schema_says() -> None:
    @tool
    def buy(order: Order) -> str:
        """Buy."""
        return order.lines[0].sku

    schema: dict[str, Any] = dict(buy.input_schema)
    (reference,) = references(schema)
    assert list(resolved(schema, reference)["properties"]) == ["sku"]
    assert buy(**buy.arguments({"order": {"lines": [{"sku": "a"}]}})) == "a"


class Struct(msgspec.Struct):
    sku: str = "a"


@pytest.mark.parametrize("default", [Line(sku="a"), float("inf"), (float("nan"),), [1], "\udcff", Struct()])
def test_a_default_that_json_cannot_say_holds_and_is_left_out_of_the_schema(default: Any) -> None:
    def look(it: Any = default) -> str:
        """Look."""
        return str(it)

    made = tool(look)
    schema: dict[str, Any] = dict(made.input_schema)
    assert "default" not in schema["properties"]["it"]
    assert "required" not in schema or schema["required"] == []
    assert made.arguments({})["it"] is default


def test_a_default_that_json_can_say_is_shown() -> None:
    def look(it: int = 3) -> str:
        """Look."""
        return str(it)

    schema: dict[str, Any] = dict(tool(look).input_schema)
    assert schema["properties"]["it"] == {"type": "integer", "default": 3}


def test_a_partial_function_is_a_tool_and_what_is_bound_is_nobody_elses() -> None:
    def pay(account: str, amount: int, currency: str) -> str:
        """Pay."""
        return f"{account} {amount} {currency}"

    made = tool(functools.partial(functools.partial(pay, "mine"), currency="EUR"))

    assert (made.name, made.description) == ("pay", "Pay.")
    schema: dict[str, Any] = dict(made.input_schema)
    assert list(schema["properties"]) == ["amount"]
    assert made(**made.arguments({"amount": 3})) == "mine 3 EUR"
    with pytest.raises(msgspec.ValidationError):
        made.arguments({"amount": 3, "currency": "USD"})


class Caller:
    def __call__(self) -> str:
        return "x"


@pytest.mark.parametrize("made", [functools.partial(Caller()), Caller(), type, min])
def test_what_is_no_function_is_refused_with_what_to_do(made: Callable[..., object]) -> None:
    with pytest.raises(ConfigError, match="Write a function with `def`"):
        tool(made)
