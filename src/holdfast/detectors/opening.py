"""The detector for texts in doubt that the settings describe."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from holdfast.detectors.http import HttpDetector
from holdfast.detectors.onnx import OnnxDetector
from holdfast.parts.detection import Detector
from holdfast.policy.screening import ScreenConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A detector that holds connections or threads until it is closed."""

    detector: Detector
    aclose: Callable[[], Awaitable[None]]


def opened(screen: ScreenConfig, *, secret: Callable[[str], str | None]) -> Opened | None:
    """The detector in a folder or behind an address; `None` if there is to be none, or a judge, who needs neither.

    `secret` tells what a variable holds.

    Raises:
        ConfigError: the folder or the address is of no use.
    """
    config = screen.second_opinion
    if not screen.enabled or config.kind in ("off", "judge"):
        return None
    if config.kind == "onnx":
        onnx = OnnxDetector.load(
            config.path, label=config.label, timeout=config.timeout, scores=config.scores
        )
        return Opened(detector=onnx, aclose=onnx.aclose)
    key = None if config.key_env is None else secret(config.key_env)
    http = HttpDetector.at(config.url, key=key, timeout=config.timeout, scores=config.scores)
    return Opened(detector=http, aclose=http.aclose)
