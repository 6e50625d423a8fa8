"""Settings from a file and the environment: what counts, who said it, and every mistake with its place."""

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from holdfast import ConfigError, Settings
from holdfast.language import Language
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import GatewayConfig, SimulatorConfig, TimeoutsConfig

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Settings from this text and these variables."""

    def load(text: str | bytes = "", **environment: str) -> Settings:
        file = tmp_path / "holdfast.toml"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return Settings.load(file, environment=environment)

    return load


@pytest.fixture
def complaint(load: Load) -> Callable[..., str]:
    """What is wrong with this text and these variables."""

    def complaint(text: str | bytes = "", language: Language = "en", **environment: str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(text, **environment)
        assert caught.value.error_code == "holdfast_config_invalid"
        return caught.value.say(language)

    return complaint


Complaint = Callable[..., str]


def test_without_file_and_variables_everything_is_default(load: Load) -> None:
    settings = load()

    assert settings == Settings()
    assert {str(origin) for origin in settings.origins.values()} == {"default"}
    assert settings.origins["gateway.port"].kind == "default"


def test_the_file_counts_more_than_the_default_and_the_environment_more_than_the_file(
    load: Load, tmp_path: Path
) -> None:
    settings = load(
        "[gateway]\nport = 1\nhost = 'localhost'\n\n[breaker]\nwindow = 60\n", HOLDFAST__GATEWAY__PORT="2"
    )

    assert (settings.gateway.port, settings.gateway.host, settings.breaker.window) == (2, "localhost", 60.0)
    assert str(settings.origins["gateway.port"]) == "HOLDFAST__GATEWAY__PORT"
    assert settings.origins["gateway.port"].kind == "environment"
    assert str(settings.origins["gateway.host"]) == f"{tmp_path}/holdfast.toml:3"
    assert str(settings.origins["breaker.window"]) == f"{tmp_path}/holdfast.toml:6"
    assert settings.origins["breaker.minimum_calls"].kind == "default"


@pytest.mark.parametrize(
    "text",
    [
        "gateway.port = 7\n",
        "gateway = { port = 7 }\n",
        "[gateway]\nport = 7\n",
        '["gateway"]\n"port" = 7\n',
        "[gateway]\r\nport = 7\r\n",
        "\ufeff[gateway]\nport = 7\n",
        "# c\n[ gateway ] # d\n  port=7#e\n",
        'gateway."port" = +7',
        "gateway.port = 0x7",
    ],
)
def test_every_way_to_write_toml_is_read(load: Load, text: str) -> None:
    assert load(text).gateway.port == 7


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("GATEWAY__PORT", "8", 8),
        ("GATEWAY__PORT", " 8 ", 8),
        ("GATEWAY__HOST", "8", "8"),
        ("TIMEOUTS__DEADLINE", "30", 30.0),
        ("TIMEOUTS__DEADLINE", "2.5", 2.5),
        ("TIMEOUTS__DEADLINE", ".5", 0.5),
        ("SCREEN__ENABLED", "false", False),
        ("SCREEN__ENABLED", "False", False),
        ("SCREEN__ENABLED", "0", False),
        ("SCREEN__CHANNELS", '["user"]', ("user",)),
        ("SCREEN__CHANNELS", "user, tool", ("user", "tool")),
        ("BREAKER__FAILURE_THRESHOLD", "none", None),
        ("SCREEN__MAX_LENGTH", "null", None),
        ("PRICING__MULTIPLIER", "1.1", Decimal("1.1")),
        ("LANGUAGE", "ko", "ko"),
        ("STORE__URL", "memory:", "memory:"),
    ],
)
def test_a_variable_is_read_as_what_the_setting_needs(
    load: Load, name: str, text: str, value: object
) -> None:
    settings = load(**{f"HOLDFAST__{name}": text})
    path = name.lower().replace("__", ".")

    assert attrgetter(path)(settings) == value
    assert str(settings.origins[path]) == f"HOLDFAST__{name}"


def test_an_upstream_can_be_made_of_variables_alone(load: Load) -> None:
    settings = load(HOLDFAST__UPSTREAMS__MINE__URL="http://x", HOLDFAST__UPSTREAMS__MINE__MODELS="a")

    assert settings.upstreams == {"mine": UpstreamConfig(url="http://x", models=("a",))}


def test_a_switch_can_be_turned_off_in_the_file(load: Load) -> None:
    assert load('[breaker]\nfailure_threshold = "none"\n').breaker.failure_threshold is None


def test_whole_numbers_do_for_times_and_prices_stay_exact(load: Load) -> None:
    settings = load(
        '[timeouts]\ndeadline = 600\n[pricing]\nmultiplier = 1.10\n[pricing.overrides."x-1.5"]\ninput = 0.1\noutput = "3"\n'
    )

    assert (settings.timeouts.deadline, settings.pricing.multiplier) == (600.0, Decimal("1.10"))
    assert settings.pricing.overrides["x-1.5"].input == Decimal("0.1")


def test_an_unknown_key_is_shown_with_its_line_and_what_was_meant(
    complaint: Complaint, tmp_path: Path
) -> None:
    assert complaint("[gateway]\nport = 1\n\n[breaker]\n  failure_treshold = 5\n") == (
        "error[HF112]: unknown key `failure_treshold` in [breaker]\n"
        f" --> {tmp_path}/holdfast.toml:5:3\n"
        "  |\n"
        "5 |   failure_treshold = 5\n"
        "  |   ^^^^^^^^^^^^^^^^ did you mean `failure_threshold`?"
    )


def test_a_complaint_is_spoken_in_korean_as_well(complaint: Complaint) -> None:
    text = complaint(
        "[breaker]\nfailure_treshold = 5\n[gateway]\nport = 'x'\nhost = ''\n",
        "ko",
        HOLDFAST__SCREEN__ENABLED="?",
    )

    assert "[breaker]에 알 수 없는 키 `failure_treshold`이(가) 있습니다" in text
    assert "혹시 `failure_threshold`인가요?" in text
    assert "`gateway.port` 값이 잘못되었습니다. 필요한 값: 정수, 적힌 값: 문자열" in text
    assert "환경 변수 HOLDFAST__SCREEN__ENABLED" in text
    assert "did you mean" not in text


def test_every_mistake_is_told_at_once_each_with_its_line(complaint: Complaint) -> None:
    text = complaint(
        "[breaker]\nwindow = 'x'\nminimum_cals = 1\n[nonsense]\na = 1\n[gateway]\nport = 99999\n[retry]\nattempts = 0\n"
        "[upstreams.a]\nkey_env = 'K'\n[timeouts]\nstall = -1\n",
        HOLDFAST__SIMULATOR__SEED="x",
        HOLDFAST__RETRI__ATTEMPTS="2",
    )

    assert text.count("error[") == 9
    assert [f":{line}:" in text for line in (2, 3, 4, 7, 9, 10, 13)] == [True] * 7
    assert "environment variable HOLDFAST__SIMULATOR__SEED" in text
    assert "did you mean `HOLDFAST__RETRY`?" in text


@pytest.mark.parametrize(
    ("text", "code", "place", "why"),
    [
        ("[gateway]\nport = '1'\n", "HF113", ":2:1", "a whole number is expected, and this is text"),
        ("[gateway]\nport = 1.5\n", "HF113", ":2:1", "and this is a number"),
        ("[gateway]\nport = true\n", "HF113", ":2:1", "and this is true or false"),
        ("[gateway]\nhost = 1\n", "HF113", ":2:1", "text is expected"),
        ("[gateway]\nhost = 2026-01-01\n", "HF113", ":2:1", "a date or time"),
        ("[screen]\nenabled = 1\n", "HF113", ":2:1", "true or false is expected"),
        ("[screen]\nmax_length = 'x'\n", "HF113", ":2:1", 'a whole number or "none" is expected'),
        ("[screen]\nchannels = 'user'\n", "HF113", ":2:1", 'a list of one of "user", "tool" is expected'),
        ("language = 'fr'\n", "HF113", ":1:1", 'one of "en", "ko" is expected'),
        ("gateway = 5\n", "HF113", ":1:1", "a table is expected, and this is a whole number"),
        ("[[gateway]]\nport = 1\n", "HF113", ":1:3", "a table is expected, and this is a list"),
        ("upstreams = 'simulator'\n", "HF113", ":1:1", "a table is expected, and this is text"),
        ("upstreams.a = 'simulator'\n", "HF113", ":1:1", "a table is expected"),
        ("[upstreams]\nurl = 'http://x'\n", "HF113", ":2:1", "a table is expected"),
        ("[upstreams.a]\nurl = 'x'\n", "HF114", ":2:1", "is no address"),
        ("[upstreams.a]\nurl = 'https://x/v1/'\n", "HF114", ":2:1", "without /v1"),
        ("[upstreams.a]\n", "HF111", ":1:2", "`upstreams.a.url` is missing"),
        ("upstreams = { a = {} }\n", "HF111", ":1:15", "add `url = ...` here"),
        ("[gateway]\nport = 65536\n", "HF114", ":2:1", "from 0 to 65535"),
        ("[gateway]\nport = -1\n", "HF114", ":2:1", "from 0 to 65535"),
        ("[gateway]\nmax_body = 0\n", "HF114", ":2:1", "max_body"),
        ("[gateway]\ndrain_timeout = nan\n", "HF114", ":2:1", "drain_timeout"),
        ("[gateway]\nhost = ' '\n", "HF114", ":2:1", "host"),
        ("[timeouts]\ndeadline = 0\n", "HF114", ":2:1", "deadline"),
        ("[timeouts]\nconnect = inf\n", "HF114", ":2:1", "connect"),
        ("[simulator]\ntime_scale = -0.5\n", "HF114", ":2:1", "time_scale"),
        ("[retry]\nwait_max = 8\nthrottle_wait_max = -1\n", "HF114", ":3:1", "throttle_wait_max"),
        (
            "[breaker]\nwindow = 5\nrecovery_timeout_max = 1\nrecovery_timeout = 9\n",
            "HF114",
            ":3:1",
            "recovery_timeout_max",
        ),
        ("[screen]\nflag_at = 0.9\n", "HF114", ":2:1", "flag_at"),
        ("[pricing]\nmultiplier = 0\n", "HF114", ":2:1", "multiplier"),
        ("[pricing.overrides.x]\ninput = 1\n", "HF111", ":1:2", "output"),
        ("a = \n", "HF110", ":1:5", "not TOML"),
        ("a = 1\na = 2\n", "HF110", ":2:6", "Cannot overwrite"),
        ("[gateway]\n[gateway]\n", "HF110", ":2:9", "not TOML"),
        ("x = [[[", "HF110", "holdfast.toml", "not TOML"),
        (f"x = {'[' * 5_000}", "HF110", "holdfast.toml", "nested too deep"),
        (f"x = {'1' * 5_000}", "HF110", "holdfast.toml", "not TOML"),
        (b"\xff\xfe", "", "holdfast.toml", "cannot be read"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(
    complaint: Complaint, text: str | bytes, code: str, place: str, why: str
) -> None:
    told = complaint(text)

    assert (code in told, place in told, why in told) == (True, True, True), told
    assert complaint(text, "ko") != told


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("HOLDFAST__GATEWAY__PORT", "many", "a whole number is expected, and this is text"),
        ("HOLDFAST__GATEWAY__PORT", "1.5", "a whole number is expected"),
        ("HOLDFAST__GATEWAY__PORT", "9" * 5_000, "a whole number is expected"),
        ("HOLDFAST__GATEWAY__PORT", "70000", "from 0 to 65535"),
        ("HOLDFAST__SCREEN__ENABLED", "perhaps", "true or false is expected"),
        ("HOLDFAST__SCREEN__CHANNELS", "[1]", "a list of"),
        ("HOLDFAST__LANGUAGE", "fr", 'one of "en", "ko"'),
        ("HOLDFAST__TIMEOUTS__DEADLINE", "nan", "deadline"),
        ("HOLDFAST__TIMEOUTS__DEADLINE", "soon", "a number is expected"),
        ("HOLDFAST__BREAKER", "5", "names no single setting"),
        ("HOLDFAST__GATEWAY__PORT__X", "5", "names no single setting"),
        ("HOLDFAST__UPSTREAMS", "simulator", "names no single setting"),
        ("HOLDFAST__", "5", "unknown key"),
        ("HOLDFAST__ORIGINS", "5", "unknown key"),
        ("HOLDFAST__BREAKER__XYZ", "5", "known keys: failure_threshold"),
        ("HOLDFAST__BREAKER__FAILURE_TRESHOLD", "5", "did you mean `HOLDFAST__BREAKER__FAILURE_THRESHOLD`?"),
        ("HOLDFAST__UPSTREAMS__A__KEY_ENV", "K", "`upstreams.a.url` is missing"),
        ("HOLDFAST_UPSTREAM", "nonsense", "is no address"),
    ],
)
def test_a_mistake_in_a_variable_is_named_with_the_variable(
    complaint: Complaint, name: str, text: str, why: str
) -> None:
    told = complaint(**{name: text})

    assert f"environment variable {name}" in told
    assert why in told
    assert f"환경 변수 {name}" in complaint(language="ko", **{name: text})


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("[upstreams.a]\nurl = 'http://x'\napi_key = 'SECRET'\n", {}),
        ("[upstreams.a]\nurl = 'http://x'\nkey_env = 'SECRET-sk-ant'\n", {}),
        ("[upstreams.a]\nurl = 'http://x' # SECRET\nmodels = 'SECRET'\n", {}),
        ("upstreams = { a = { url = 'http://SECRET@x', kee = 1 } }\n", {}),
        ("gateway = { host = '''SECRET\n''', port = 'SECRET' }\n", {}),
        ("api_key = SECRET\n", {}),
        ("language = 'SECRET'\n", {}),
        ("", {"HOLDFAST__UPSTREAMS__A__API_KEY": "SECRET"}),
        ("", {"HOLDFAST__GATEWAY__PORT": "SECRET"}),
        ("", {"HOLDFAST__LANGUAGE": "SECRET"}),
    ],
)
def test_no_complaint_repeats_what_may_be_a_secret(
    complaint: Complaint, text: str, environment: dict[str, str]
) -> None:
    assert "SECRET" not in complaint(text, **environment) + complaint(text, "ko", **environment)


def test_variables_find_the_names_of_the_file_whatever_their_case(load: Load) -> None:
    settings = load("[upstreams.Claude-EU]\nurl = 'http://x'\n", HOLDFAST__UPSTREAMS__CLAUDE_EU__MODELS="a,b")

    assert settings.upstreams == {"Claude-EU": UpstreamConfig(url="http://x", models=("a", "b"))}


def test_the_name_of_an_upstream_holds_no_slash(complaint: Complaint) -> None:
    text = "[upstreams.'eu/west']\nurl = 'http://x'\n"
    assert "upstreams.eu/west: the name of an upstream may not hold `/`" in complaint(text)
    assert "upstreams.eu/west: 서킷 이름이" in complaint(text, "ko")
    with pytest.raises(ConfigError, match="with `-` instead"):
        Settings(upstreams={"eu/west": UpstreamConfig(url="simulator")})


def test_the_upstream_of_the_environment_stands_alone(load: Load) -> None:
    text = "[upstreams.live]\nurl = 'https://api.anthropic.com'\nkey_env = 'ANTHROPIC_API_KEY'\n"
    settings = load(text, HOLDFAST_UPSTREAM="simulator")

    assert settings.upstreams == {"default": UpstreamConfig(url="simulator")}
    assert settings.simulated
    assert str(settings.origins["upstreams.default.url"]) == "HOLDFAST_UPSTREAM"


@pytest.mark.parametrize(
    ("url", "key", "key_env"),
    [
        ("https://api.anthropic.com", {}, "ANTHROPIC_API_KEY"),
        ("http://x", {}, None),
        ("http://x", {"ANTHROPIC_API_KEY": "k"}, "ANTHROPIC_API_KEY"),
        ("simulator", {"ANTHROPIC_API_KEY": "k"}, None),
        ("http://x", {"HOLDFAST__UPSTREAMS__DEFAULT__KEY_ENV": "MINE"}, "MINE"),
    ],
)
def test_the_usual_key_goes_to_the_upstream_of_the_environment(
    load: Load, url: str, key: dict[str, str], key_env: str | None
) -> None:
    assert load(HOLDFAST_UPSTREAM=url, **key).upstreams["default"].key_env == key_env


def test_variables_that_are_set_to_nothing_are_not_set(load: Load) -> None:
    assert load(HOLDFAST_UPSTREAM="", HOLDFAST_DATABASE_URL=" ") == Settings()


def test_variables_of_others_are_left_alone(load: Load) -> None:
    assert (
        load(HOLDFAST_PORT="tcp://10.0.0.1:80", HOLDFAST_SERVICE_HOST="10.0.0.1", PATH="/bin") == Settings()
    )


def test_the_database_has_a_short_name_and_the_long_one_counts_more(load: Load) -> None:
    assert load(HOLDFAST_DATABASE_URL="memory:").store.url == "memory:"
    both = load(HOLDFAST_DATABASE_URL="memory:", HOLDFAST__STORE__URL="sqlite:///x")
    assert both.store.url == "sqlite:///x"


@pytest.mark.parametrize(
    ("spoken", "language"), [("ko_KR.UTF-8", "ko"), ("ko", "ko"), ("en", "en"), ("fr", "en")]
)
def test_the_language_of_the_terminal_is_that_of_the_settings(load: Load, spoken: str, language: str) -> None:
    assert load(HOLDFAST_LANG=spoken).language == language


def test_the_file_is_looked_for_in_its_usual_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.load(environment={}) == Settings()
    (tmp_path / "holdfast.toml").write_text("gateway.port = 1\n")
    assert Settings.load(environment={}).gateway.port == 1
    other = tmp_path / "other.toml"
    other.write_text("gateway.port = 2\n")
    assert Settings.load(environment={"HOLDFAST_CONFIG": str(other)}).gateway.port == 2
    assert Settings.load(str(other), environment={"HOLDFAST_CONFIG": "missing"}).gateway.port == 2


def test_a_home_folder_is_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.toml").write_text("gateway.port = 1\n")

    assert Settings.load(environment={"HOLDFAST_CONFIG": "~/mine.toml"}).gateway.port == 1


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            Settings.load(path)
        assert "읽을 수 없습니다" in caught.value.say("ko")


def test_the_environment_of_the_process_is_read_by_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOLDFAST__GATEWAY__PORT", "4")
    assert Settings.load().gateway.port == 4


def test_simulated_money_has_a_book_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, load: Load
) -> None:
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))

    assert load().store_url == f"sqlite:///{tmp_path}/holdfast.db"
    assert load(HOLDFAST_UPSTREAM="simulator").store_url == f"sqlite:///{tmp_path}/simulator.db"
    assert load(HOLDFAST_DATABASE_URL="memory:").store_url == "memory:"


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (GatewayConfig, {"port": -1}),
        (GatewayConfig, {"port": 65_536}),
        (GatewayConfig, {"max_body": 0}),
        (GatewayConfig, {"host": ""}),
        (GatewayConfig, {"drain_timeout": -1.0}),
        (GatewayConfig, {"drain_timeout": float("inf")}),
        (GatewayConfig, {"drain_timeout": float("nan")}),
        (TimeoutsConfig, {"deadline": 0.0}),
        (TimeoutsConfig, {"connect": -1.0}),
        (TimeoutsConfig, {"stall": float("inf")}),
        (TimeoutsConfig, {"deadline": float("nan")}),
        (SimulatorConfig, {"time_scale": -1.0}),
        (SimulatorConfig, {"time_scale": float("nan")}),
        (UpstreamConfig, {"url": "ftp://x"}),
        (TimeoutsConfig, {"commit_after": 0.0}),
        (UpstreamConfig, {"url": "http://x", "key_env": "sk-ant-1"}),
        (UpstreamConfig, {"url": "http://x", "key_env": "A", "key_envs": ("B", "sk-ant-1")}),
        (UpstreamConfig, {"url": "http://x", "key_envs": ("B",)}),
    ],
)
def test_a_value_without_sense_is_refused_from_python_too(
    kind: Callable[..., object], wrong: dict[str, Any]
) -> None:
    *_, name = wrong
    with pytest.raises(ConfigError, match=f"^{name}: ") as caught:
        kind(**wrong)

    assert caught.value.say("ko").startswith(f"{name}: ")


def test_the_limits_themselves_are_allowed() -> None:
    assert GatewayConfig(port=0, drain_timeout=0).port == 0
    assert GatewayConfig(port=65_535, max_body=1).max_body == 1
    assert SimulatorConfig(time_scale=0).time_scale == 0
    assert TimeoutsConfig(deadline=600).deadline == 600


def test_substitutes_keys_and_gates_are_read_from_the_file(load: Load) -> None:
    settings = load(
        "[failover.models]\n'claude-opus-5-5' = ['claude-sonnet-5-5']\n"
        "[upstreams.main]\nurl = 'http://x'\nkey_env = 'ONE'\nkey_envs = ['TWO']\norganisation = 'acme'\n"
        "[gates]\nprobe_interval = 60\n[timeouts]\ncommit_after = 5\n"
    )

    assert settings.failover.models == {"claude-opus-5-5": ("claude-sonnet-5-5",)}
    main = settings.upstreams["main"]
    assert (main.key_env, main.key_envs, main.organisation) == ("ONE", ("TWO",), "acme")
    assert (settings.gates.probe_interval, settings.timeouts.commit_after) == (60.0, 5.0)


def test_every_setting_can_be_set_by_a_variable_and_by_a_line(load: Load) -> None:
    """No setting is of a kind that the reader does not know."""
    for name in Settings().origins or load().origins:
        section, _, key = name.rpartition(".")
        told = ""
        try:
            load(f"{section}.{key} = 2026-01-01\n" if section else f"{key} = 2026-01-01\n")
        except ConfigError as error:
            told = str(error)
        assert f"wrong value for `{name}`" in told
        assert "a date or time" in told


def test_settings_cannot_be_changed_afterwards(load: Load) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load().language = "ko"  # type: ignore[misc]  # what must not work
    assert "origins" not in repr(load())
