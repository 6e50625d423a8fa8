"""What `hold.claude_agent_options` makes of the options of a caller: more in them, and nothing lost."""

import gc
import json
import stat
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from claude_agent_sdk import ClaudeAgentOptions, HookContext, HookInput, HookJSONOutput, HookMatcher

from holdfast import ConfigError, Holdfast, Settings
from holdfast.call import OwnLimits
from holdfast.errand import Errand, sent_on
from holdfast.errors import KeyMissing
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.policy.taint import TaintConfig
from holdfast.simulator.server import RunningSimulator
from tests.doors.claude_agent import scrub
from tests.doors.running import quick_settings
from tests.doors.talking import QUESTION, ask


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    scrub(monkeypatch, tmp_path)
    return tmp_path


@pytest.fixture
def settings(simulator: RunningSimulator) -> Settings:
    return quick_settings(simulator)


def told(options: ClaudeAgentOptions) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(Path(options.settings or "").read_text()))


async def mine(_: HookInput, __: str | None, ___: HookContext) -> HookJSONOutput:
    return {}


def test_nothing_of_the_callers_is_lost(settings: Settings) -> None:
    matcher = HookMatcher(matcher="Bash", hooks=[mine])
    theirs = ClaudeAgentOptions(
        model="claude-opus-5-5",
        env={"MINE": "1", "ANTHROPIC_BASE_URL": "https://elsewhere.example"},
        hooks={"PreToolUse": [matcher], "Stop": [matcher]},
        mcp_servers={"far": {"type": "http", "url": "https://mcp.example.com"}},
        settings=json.dumps({"permissions": {"deny": ["Bash"]}, "env": {"THEIRS": "2"}}),
    )
    with Holdfast(replace(settings, tools=TaintConfig(while_tainted="deny"))) as hold:
        ours = hold.claude_agent_options(theirs)

        assert (ours.model, ours.env["MINE"], ours.mcp_servers) == (
            "claude-opus-5-5",
            "1",
            theirs.mcp_servers,
        )
        assert ours.env["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
        assert ours.hooks is not None
        assert ours.hooks["PreToolUse"][0] is matcher
        assert [len(ours.hooks[event]) for event in ("PreToolUse", "Stop", "PostToolUse")] == [2, 1, 1]
        assert told(ours)["permissions"] == {"deny": ["Bash"]}
        assert told(ours)["env"]["THEIRS"] == "2"
        assert told(ours)["env"]["ANTHROPIC_BASE_URL"] == ours.env["ANTHROPIC_BASE_URL"]
    assert theirs.hooks == {"PreToolUse": [matcher], "Stop": [matcher]}


def test_settings_may_stand_in_a_file_beside_the_work(settings: Settings, home: Path) -> None:
    (home / "mine.json").write_text('{"model": "opus"}')
    with Holdfast(settings) as hold:
        ours = hold.claude_agent_options(ClaudeAgentOptions(cwd=home, settings="mine.json"))
        assert told(ours)["model"] == "opus"

        for wrong in ("none.json", "{broken", "[]"):
            with pytest.raises(ConfigError, match=r"ClaudeAgentOptions\.settings"):
                hold.claude_agent_options(ClaudeAgentOptions(cwd=home, settings=wrong))


def test_a_token_and_its_file_end_with_the_options(settings: Settings) -> None:
    with Holdfast(settings) as hold:
        ours: ClaudeAgentOptions | None = hold.claude_agent_options()
        assert ours is not None
        url, token, path = (
            ours.env["ANTHROPIC_BASE_URL"],
            ours.env["ANTHROPIC_AUTH_TOKEN"],
            Path(ours.settings or ""),
        )
        copy: ClaudeAgentOptions | None = replace(ours, model="claude-haiku-5-5")
        ours = None
        gc.collect()
        assert ask(url, QUESTION, headers={"x-api-key": token}).status == 200
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert copy is not None
        copy = None
        gc.collect()
        assert ask(url, QUESTION, headers={"x-api-key": token}).status == 401
        assert not path.exists()


def test_each_options_are_a_run_of_their_own_unless_they_are_told_which(settings: Settings) -> None:
    def run(options: ClaudeAgentOptions) -> str:
        return options.env["ANTHROPIC_CUSTOM_HEADERS"].partition("x-holdfast-run: ")[2]

    with Holdfast(settings) as hold:
        first, second = hold.claude_agent_options(), hold.claude_agent_options()
        assert run(first) != run(second)
        assert run(hold.claude_agent_options(run="nightly")) == "nightly"


def test_on_an_errand_they_are_part_of_its_run_and_on_its_money(settings: Settings) -> None:
    pocket = OwnLimits(budgets={"pocket": BudgetConfig(usd=Decimal("0.0000001"), per="run", scope="run")})
    with Holdfast(settings) as hold:
        with sent_on(Errand(run="outer", name="writer", user="alice", limits=pocket)):
            ours = hold.claude_agent_options()
        headers = {"x-api-key": ours.env["ANTHROPIC_AUTH_TOKEN"]}
        heard = ask(ours.env["ANTHROPIC_BASE_URL"], QUESTION, headers=headers)
        (record,) = hold.runtime.portal.call(hold.runtime.ledger.newest(9))

    assert heard.json["error"]["details"]["budget"] == "pocket"
    assert (record.run, record.user, record.agent) == ("outer", "alice", "writer")


def test_a_gateway_that_the_environment_names_is_used(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_URL", "https://gateway.example/")
    with Holdfast(settings) as hold:
        unknown = hold.claude_agent_options().env
        monkeypatch.setenv("HOLDFAST_KEY", "hf_live_of_mine")
        known = hold.claude_agent_options().env
        monkeypatch.delenv("HOLDFAST_KEY")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-mine")
        passed_on = hold.claude_agent_options().env

    assert unknown["ANTHROPIC_BASE_URL"] == "https://gateway.example"
    assert (unknown["ANTHROPIC_AUTH_TOKEN"], known["ANTHROPIC_AUTH_TOKEN"]) == ("local", "hf_live_of_mine")
    assert "ANTHROPIC_AUTH_TOKEN" not in passed_on
    assert "ANTHROPIC_API_KEY" not in passed_on


def test_an_upstream_without_its_key_is_said_to_before_anything_begins(settings: Settings) -> None:
    needs = {"paid": UpstreamConfig(url="https://api.example", key_env="PAID_KEY")}
    with Holdfast(replace(settings, upstreams=needs)) as hold, pytest.raises(KeyMissing, match="PAID_KEY"):
        hold.claude_agent_options()


def test_keys_of_upstreams_stay_out_of_reach_of_claude_code(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAID_KEY", "sk-0123456789abcdef")
    needs = {"paid": UpstreamConfig(url="https://api.example", key_env="PAID_KEY")}
    with Holdfast(replace(settings, upstreams=needs)) as hold:
        assert hold.claude_agent_options().env["PAID_KEY"] == ""


def test_mcp_servers_in_a_file_stay_in_it(settings: Settings) -> None:
    with Holdfast(settings) as hold:
        assert hold.claude_agent_options(ClaudeAgentOptions(mcp_servers="mcp.json")).mcp_servers == "mcp.json"


def test_without_the_extra_it_is_said_what_to_install() -> None:
    program = """
import sys
sys.modules["claude_agent_sdk"] = None
from holdfast import ConfigError, Holdfast, Settings
with Holdfast(Settings.load(environment={"HOLDFAST_UPSTREAM": "simulator", "HOLDFAST_DATABASE_URL": "memory:"})) as hold:
    try:
        hold.claude_agent_options()
    except ConfigError as error:
        print(error, error.say("ko"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.count('pip install "holdfast[claude]"') == 2
