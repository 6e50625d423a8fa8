"""Detectors to stand beside the one that ships with holdfast, and what they have in common.

Names are loaded when they are first used, so that none costs what another needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.detectors.http import HttpDetector as HttpDetector
    from holdfast.detectors.judge import JudgeDetector as JudgeDetector
    from holdfast.detectors.onnx import OnnxDetector as OnnxDetector
    from holdfast.detectors.remembered import Remembered as Remembered
    from holdfast.parts.cascade import cascade as cascade
    from holdfast.parts.detection import Detection as Detection
    from holdfast.parts.detection import Detector as Detector
    from holdfast.parts.detection import GuardInput as GuardInput
    from holdfast.parts.linear import LinearDetector as LinearDetector

_HOMES = {
    "Detection": "holdfast.parts.detection",
    "Detector": "holdfast.parts.detection",
    "GuardInput": "holdfast.parts.detection",
    "HttpDetector": "holdfast.detectors.http",
    "JudgeDetector": "holdfast.detectors.judge",
    "LinearDetector": "holdfast.parts.linear",
    "OnnxDetector": "holdfast.detectors.onnx",
    "Remembered": "holdfast.detectors.remembered",
    "cascade": "holdfast.parts.cascade",
}

__all__ = [
    "Detection",
    "Detector",
    "GuardInput",
    "HttpDetector",
    "JudgeDetector",
    "LinearDetector",
    "OnnxDetector",
    "Remembered",
    "cascade",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
