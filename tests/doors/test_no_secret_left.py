"""Secrets go in through every opening of the gateway, and nothing that it leaves behind holds one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from random import Random
from string import ascii_letters, digits

import pytest

from holdfast.assembly import Runtime, assemble
from holdfast.call import Call
from holdfast.errors import ConfigError
from holdfast.events import Event, Observer, RequestCrashed
from holdfast.hold import Holdfast
from holdfast.pipeline import Proceed
from holdfast.settings import FleetConfig, Settings, StoreConfig
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.open import open_store
from holdfast.telemetry.logs import AgentLogger
from holdfast.telemetry.observer import logged
from tests.admin.operating import TOKEN
from tests.doors.running import RunningGateway, quick_settings, serving
from tests.doors.talking import QUESTION, Heard, ask

_dice = Random(4180)


@dataclass
class Markers:
    """Secrets made for one test, each by the place it is put in."""

    made: dict[str, str] = field(default_factory=dict[str, str])

    def new(self, place: str) -> str:
        body = "".join(_dice.choice(ascii_letters + digits) for _ in range(48))
        return self.made.setdefault(place, "sk-" + f"ant-api03-{body}")

    def found_in(self, data: bytes) -> list[str]:
        """Whose secret can be read there, whole or in part."""
        return [place for place, secret in self.made.items() if secret[14:30].encode() in data]


def crashing(settings: Settings, observe: Observer) -> Runtime:
    """A pipeline whose last guard trips over some calls, with the whole request in the error."""

    async def guard(call: Call) -> Proceed:
        if b"crash" in call.body:
            raise ValueError("x" * 3_900 + repr((call.body, call.headers)))
        return Proceed(call)

    runtime = assemble(settings, observe=observe)
    return replace(runtime, pipeline=replace(runtime.pipeline, guards=(*runtime.pipeline.guards, guard)))


HEADERS = (
    "x-api-key", "authorization", "cookie", "user-agent", "anthropic-beta", "x-holdfast-user", "x-holdfast-run",
    "x-claude-code-session-id", "x-claude-code-agent-id", "x-claude-code-parent-agent-id", "x-request-id",
    "idempotency-key", "x-forwarded-for", "referer", "x-custom",
)  # fmt: skip


def headers(markers: Markers, *names: str) -> Mapping[str, str]:
    return {name: markers.new(f"header {name}") for name in names or HEADERS}


def body(markers: Markers, **members: object) -> dict[str, object]:
    """A request with a secret wherever text can stand."""
    return {
        **QUESTION,
        "system": f"You are {markers.new('system')}",
        "messages": [{"role": "user", "content": f"remember {markers.new('message')}"}],
        "metadata": {"user_id": markers.new("metadata.user_id")},
        **members,
    }


@dataclass
class Stage:
    """A gateway with a book of its own, and everything it leaves behind."""

    gateway: RunningGateway
    folder: Path
    markers: Markers

    def ask(
        self, sent: object = b"", *, path: str = "/v1/messages", method: str = "POST", **named: str
    ) -> Heard:
        said = {name.replace("_", "-"): value for name, value in named.items()}
        whole = {**headers(self.markers), **said}
        return ask(self.gateway.url, sent, path=path, method=method, headers=whole)

    def left(self) -> Iterator[tuple[str, bytes]]:
        """(what it is, its bytes) of everything that outlives a call."""
        self.gateway.records()
        yield "log lines", lines_of(self.gateway.events)
        yield "events", repr(self.gateway.events).encode()
        yield from ((path.name, path.read_bytes()) for path in self.folder.rglob("*") if path.is_file())
        for path in ADMIN:
            told = ask(self.gateway.url, b"", method="GET", path=path, headers={"x-api-key": TOKEN})
            assert told.status == 200, (path, told)
            yield path, told.body

    def leaks(self) -> list[tuple[str, list[str]]]:
        return [(what, found) for what, data in self.left() if (found := self.markers.found_in(data))]


ADMIN = (
    "/api/v1/requests", "/api/v1/runs", "/api/v1/audit", "/api/v1/spend", "/api/v1/budgets", "/api/v1/keys",
    "/api/v1/stops", "/api/v1/standings", "/readyz", "/openapi.json",
)  # fmt: skip


def lines_of(events: list[Event]) -> bytes:
    """What a log makes of events."""
    stream = StringIO()
    with AgentLogger("gateway", level="debug", stream=stream) as log:
        write = logged(log)
        for event in events:
            write(event)
    return stream.getvalue().encode()


@pytest.fixture
def stage(simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    markers = Markers()
    monkeypatch.setenv("ANTHROPIC_API_KEY", markers.new("environment ANTHROPIC_API_KEY"))
    monkeypatch.setenv("SOME_PASSWORD", markers.new("environment SOME_PASSWORD"))
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    settings = replace(
        quick_settings(simulator), store=StoreConfig(url=f"sqlite:///{tmp_path / 'holdfast.db'}")
    )
    with serving(simulator, settings, opened=crashing) as gateway:
        yield Stage(gateway, tmp_path, markers)


def test_answered_calls_leave_no_secret_behind(stage: Stage) -> None:
    for sent in (body(stage.markers), body(stage.markers, stream=True)):
        assert stage.ask(sent).status == 200
    counted = {
        name: value for name, value in body(stage.markers).items() if name not in ("max_tokens", "metadata")
    }
    assert stage.ask(counted, path="/v1/messages/count_tokens").status == 200
    asked = f"/v1/messages?beta=true&key={stage.markers.new('query')}"
    assert stage.ask(body(stage.markers), path=asked).status == 200

    assert stage.leaks() == []
    assert len(stage.gateway.records()) >= 3


def test_refused_and_unreadable_calls_leave_no_secret_behind(stage: Stage) -> None:
    markers = stage.markers
    for sent in (
        b'{"messages": "' + markers.new("broken body").encode(),
        body(markers, model=markers.new("model")),
        body(markers, thread={"id": markers.new("thread")}),
        body(markers, max_tokens=markers.new("max_tokens")),
        body(markers, tools=[{"name": markers.new("tool name"), "input_schema": {"type": "object"}}]),
    ):
        stage.ask(sent)
    stage.ask(path=f"/v1/{markers.new('unknown path')}?x={markers.new('unknown query')}", method="GET")
    stage.ask(path=f"/v1/models/{markers.new('model path')}", method="GET")
    stage.ask(path=f"/api/v1/runs/{markers.new('run path')}", method="GET")
    stage.ask(body(markers), x_holdfast_tags=f"team={markers.new('tag')}")
    stage.ask(body(markers), x_holdfast_tags=markers.new("no tag"))

    assert stage.leaks() == []


def test_a_bug_that_quotes_the_whole_request_leaves_no_secret_behind(stage: Stage) -> None:
    crash = body(stage.markers, messages=[{"role": "user", "content": f"crash {stage.markers.new('crash')}"}])
    answer = stage.ask(crash)

    assert answer.status == 500
    assert stage.markers.found_in(answer.body) == []
    assert any(isinstance(event, RequestCrashed) for event in stage.gateway.events)
    assert stage.leaks() == []


def test_a_name_with_the_shape_of_a_key_gets_another_that_still_tells_callers_apart(stage: Stage) -> None:
    users = set[str | None]()
    for number in (1, 1, 2):
        user = stage.markers.new(f"user {number}")
        assert stage.ask({**QUESTION}, x_holdfast_user=user).status == 200
        users.add(stage.gateway.records()[0].user)

    assert len(users) == 2
    assert all(user is not None and user.startswith("hidden-key-") for user in users)


def test_settings_do_not_show_the_password_of_a_database_when_printed() -> None:
    marker = Markers().new("store url")
    settings = Settings(
        store=StoreConfig(url=f"postgresql://me:{marker}@db/x"),
        fleet=FleetConfig(redis_url=f"redis://:{marker}@cache"),
    )
    assert marker not in repr(settings)


@pytest.mark.parametrize("url", ["mysql://me:{}@db/x", "mysql://me:a/{}@db/x", "mysql://me:a@{}@db/x"])
def test_an_address_of_no_store_is_told_without_its_password(url: str) -> None:
    marker = Markers().new("store url")
    with pytest.raises(ConfigError) as caught:
        open_store(url.format(marker))
    assert marker not in caught.value.say("en") + caught.value.say("ko")


def test_calls_through_the_official_sdk_leave_no_secret_behind(
    simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    markers, events = Markers(), list[Event]()
    monkeypatch.setenv("ANTHROPIC_API_KEY", markers.new("environment ANTHROPIC_API_KEY"))
    store = StoreConfig(url=f"sqlite:///{tmp_path / 'holdfast.db'}")
    settings = replace(quick_settings(simulator), store=store)
    with Holdfast(settings, observe=events.append) as hold:
        with hold.anthropic_sync(user=markers.new("user"), run=markers.new("run")) as client:
            answer = client.messages.create(
                model="claude-sonnet-5-5",
                max_tokens=50,
                system=markers.new("system"),
                messages=[{"role": "user", "content": f"remember {markers.new('message')}"}],
                extra_headers={"x-custom": markers.new("header"), "cookie": markers.new("cookie")},
                extra_query={"key": markers.new("query")},
            )
        assert answer.content

    assert markers.found_in(lines_of(events) + repr(events).encode()) == []
    assert {path.name for path in tmp_path.rglob("*.db")} == {"holdfast.db"}
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or markers.found_in(path.read_bytes()) == []
