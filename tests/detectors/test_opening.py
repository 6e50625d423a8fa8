from pathlib import Path

import pytest

from holdfast.assembly import assemble
from holdfast.detectors.http import HttpDetector
from holdfast.detectors.onnx import OnnxDetector
from holdfast.detectors.opening import opened
from holdfast.errors import ConfigError
from holdfast.guards.screen import ScreenGuard
from holdfast.policy.routing import UpstreamConfig
from holdfast.policy.screening import ScreenConfig
from holdfast.policy.second_opinion import SecondOpinionConfig
from holdfast.policy.taint import TaintConfig
from holdfast.settings import Settings, StoreConfig
from tests.detectors.tiny_onnx import write


def screen(second: SecondOpinionConfig, *, enabled: bool = True) -> ScreenConfig:
    return ScreenConfig(second_opinion=second, enabled=enabled)


def secret(variable: str) -> str | None:
    return {"GUARD_TOKEN": "token-1"}.get(variable)


async def test_an_endpoint_gets_the_token_that_a_variable_holds() -> None:
    config = SecondOpinionConfig(kind="http", url="https://guard.example/v1", key_env="GUARD_TOKEN")
    found = opened(screen(config), secret=secret)
    assert found is not None
    assert isinstance(found.detector, HttpDetector)
    assert (found.detector.key, found.detector.path) == ("token-1", "/v1")
    await found.aclose()


async def test_an_endpoint_without_a_token_gets_none() -> None:
    found = opened(screen(SecondOpinionConfig(kind="http", url="http://127.0.0.1:1/")), secret=secret)
    assert found is not None
    assert isinstance(found.detector, HttpDetector)
    assert found.detector.key is None
    await found.aclose()


async def test_a_folder_is_opened(tmp_path: Path) -> None:
    config = SecondOpinionConfig(kind="onnx", path=str(write(tmp_path)), timeout=2, scores=(0.9, 0.99))
    found = opened(screen(config), secret=secret)
    assert found is not None
    assert isinstance(found.detector, OnnxDetector)
    assert (found.detector.timeout, found.detector.scores) == (2, (0.9, 0.99))
    await found.aclose()


def test_nothing_is_opened_for_a_judge_for_nobody_and_for_a_screen_that_is_off() -> None:
    assert opened(screen(SecondOpinionConfig(kind="judge")), secret=secret) is None
    assert opened(screen(SecondOpinionConfig()), secret=secret) is None
    away = SecondOpinionConfig(kind="onnx", path="/nowhere")
    assert opened(screen(away, enabled=False), secret=secret) is None


def settings(second: SecondOpinionConfig, tools: TaintConfig | None = None) -> Settings:
    return Settings(
        store=StoreConfig(url="memory:"),
        upstreams={"simulator": UpstreamConfig(url="simulator")},
        screen=screen(second),
        tools=tools or TaintConfig(),
    )


def test_a_folder_that_is_not_there_is_told_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"model\.onnx"):
        assemble(settings(SecondOpinionConfig(kind="onnx", path="/nowhere")))


async def test_the_pipeline_asks_the_detector_of_the_settings(tmp_path: Path) -> None:
    runtime = assemble(settings(SecondOpinionConfig(kind="onnx", path=str(write(tmp_path)))))
    (guard,) = (one for one in runtime.stations.guards if isinstance(one, ScreenGuard))
    assert guard.second is not None
    assert guard.second.dear.version is not None
    assert guard.second.dear.version.startswith("onnx:")
    assert guard.sightings is runtime.stations.sightings
    await runtime.aclose()


@pytest.mark.parametrize(
    ("tools", "only_flags"),
    [
        (TaintConfig(), True),
        (TaintConfig(fence=False), False),
        (TaintConfig(while_tainted="off"), False),
    ],
)
async def test_what_tools_say_is_refused_only_where_nothing_else_takes_care_of_it(
    tools: TaintConfig, *, only_flags: bool
) -> None:
    runtime = assemble(settings(SecondOpinionConfig(), tools))
    (guard,) = (one for one in runtime.stations.guards if isinstance(one, ScreenGuard))
    assert guard.only_flags_tools is only_flags
    assert guard.second is None
    await runtime.aclose()
