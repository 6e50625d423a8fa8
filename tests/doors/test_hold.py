"""One hold: opened when used, shared by its doors, closed without a trace."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from holdfast import ConfigError, Holdfast, Settings
from holdfast.errors import StoreUnavailable
from holdfast.events import CallEnded, Event
from holdfast.settings import StoreConfig
from tests.agent.conftest import World

SIMULATED = {"HOLDFAST_UPSTREAM": "simulator", "HOLDFAST__SIMULATOR__TIME_SCALE": "0"}


def ours() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("holdfast-"))


@pytest.fixture
def world() -> World:
    return World()


async def test_the_three_doors_share_one_pipeline_and_one_book() -> None:
    settings = Settings.load(environment={**SIMULATED, "HOLDFAST_DATABASE_URL": "memory:"})
    events: list[Event] = []
    async with Holdfast(settings, observe=events.append) as hold:
        await hold.agent().chat("Hello")
        await hold.anthropic().messages.create(
            model="claude-sonnet-5-5", max_tokens=9, messages=[{"role": "user", "content": "Hello"}]
        )
        assert callable(hold.asgi())
        records = await hold.runtime.ledger.newest(9)

    assert [record.door for record in records] == ["sdk", "library"]
    assert sum(isinstance(event, CallEnded) for event in events) == 2
    assert ours() == []


def test_a_script_uses_it_without_a_loop(world: World) -> None:
    with world.hold() as hold:
        assert hold.agent().chat_sync("Hello").outcome == "answered"
    assert ours() == []


def test_it_can_be_closed_twice_and_used_again(tmp_path: Path) -> None:
    store = StoreConfig(url=f"sqlite:///{tmp_path}/book.db")
    settings = Settings.load(environment=SIMULATED)
    hold = Holdfast(Settings(store=store, upstreams=settings.upstreams, simulator=settings.simulator))
    hold.agent().chat_sync("One")
    hold.close()
    hold.close()
    assert ours() == []
    hold.agent().chat_sync("Two")
    records = hold.runtime.portal.call(hold.runtime.ledger.totals())
    hold.close()

    assert (records.calls, ours()) == (2, [])


async def test_a_hold_that_was_never_used_has_nothing_to_close() -> None:
    hold = Holdfast(Settings())
    await hold.aclose()
    hold.close()


def test_a_store_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = StoreConfig(url=f"sqlite:///{tmp_path}/file/book.db")
    with pytest.raises(StoreUnavailable), Holdfast(Settings(store=store)):
        pass

    assert ours() == []


def test_a_key_that_cannot_be_read_leaves_no_ledger_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", str(tmp_path / "missing"))
    with (
        pytest.raises(ConfigError),
        Holdfast(Settings(store=StoreConfig(url=f"sqlite:///{tmp_path}/book.db"))),
    ):
        pass

    assert (ours(), (tmp_path / "book.db").exists()) == ([], False)


@pytest.mark.parametrize(
    "module",
    ["holdfast.gateway.app", "holdfast.cli.main", "holdfast.cli.chat", "holdfast.simulator", "holdfast.hold"],
)
def test_no_other_door_loads_the_sdk(module: str) -> None:
    program = f"import sys, {module}; print(sorted({{'anthropic', 'mcp', 'pydantic', 'httpx2'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_without_the_sdk_installed_the_error_says_what_to_install() -> None:
    program = """
import sys
sys.modules["anthropic"] = None
from holdfast import ConfigError, Holdfast, Settings
with Holdfast(Settings.load(environment={"HOLDFAST_UPSTREAM": "simulator", "HOLDFAST_DATABASE_URL": "memory:"})) as hold:
    for door in (hold.anthropic, hold.anthropic_sync):
        try:
            door()
        except ConfigError as error:
            print(error, error.say("ko"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.count('pip install "holdfast[anthropic]"') == 4
