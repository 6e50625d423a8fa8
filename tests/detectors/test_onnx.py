import asyncio
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from holdfast.detectors import onnx as module
from holdfast.detectors.onnx import STRIDE, WINDOW, Named, OnnxDetector, windows_of
from holdfast.errors import ConfigError
from holdfast.parts.detection import Detection, GuardInput
from tests.detectors.tiny_onnx import write


@given(length=st.integers(0, 3 * WINDOW))
def test_every_token_and_all_its_neighbours_are_in_a_window(length: int) -> None:
    tokens = list(range(length))
    windows = list(windows_of(tokens))
    assert all(len(window) <= WINDOW for window in windows)
    assert [window[0] for window in windows if window] == list(range(0, len(windows) * STRIDE, STRIDE))[
        :length
    ]
    for start in range(0, max(1, length - STRIDE), 17):
        phrase = tokens[start : start + STRIDE]
        assert any(set(phrase) <= set(window) for window in windows)


async def judged(detector: OnnxDetector, *texts: str) -> Sequence[Detection]:
    try:
        return await detector.score([GuardInput(text=text) for text in texts])
    finally:
        await detector.aclose()


@pytest.mark.parametrize("inputs", [("input_ids",), ("input_ids", "attention_mask", "token_type_ids")])
async def test_a_folder_with_a_classifier_judges_texts(tmp_path: Path, inputs: tuple[str, ...]) -> None:
    detector = OnnxDetector.load(write(tmp_path, *inputs))
    harmless, attack, empty = await judged(detector, "hello hello", "hello poison hello", "")
    assert (round(harmless.score, 3), round(attack.score, 3)) == (0.007, 0.993)
    assert attack.fpr < 0.0001
    assert (empty.examined, round(empty.score, 3)) == (True, 0.007)
    assert detector.version is not None
    assert detector.version.startswith("onnx:")


@pytest.mark.parametrize("before", [0, 509, 510, 600, 2_000, 9_999])
async def test_an_attack_is_found_wherever_it_stands(tmp_path: Path, before: int) -> None:
    detector = OnnxDetector.load(write(tmp_path), label="INJECTION")
    words = ["hello"] * 10_000
    words[before] = "poison"
    (found,) = await judged(detector, " ".join(words))
    assert found.score > 0.99


async def test_the_other_label_can_be_the_one_that_means_an_attack(tmp_path: Path) -> None:
    (found,) = await judged(OnnxDetector.load(write(tmp_path), label="0"), "hello")
    assert found.score > 0.99


async def test_a_score_means_what_was_measured_of_it(tmp_path: Path) -> None:
    (found,) = await judged(OnnxDetector.load(write(tmp_path), scores=(0.995, 0.999)), "poison")
    assert 0.01 < found.fpr < 0.011


async def test_a_text_without_end_is_not_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WINDOWS", 2)
    monkeypatch.setattr(module, "LONGEST", 10_000)
    detector = OnnxDetector.load(write(tmp_path))
    short, many, long = await judged(detector, "hello " * 700, "hello " * 900, "hello " * 2_000)
    assert [one.reason for one in (short, many, long)] == [None, "too_long", "too_long"]


@dataclass
class Slow:
    """A model that thinks until it is let go."""

    go: threading.Event = field(default_factory=threading.Event)

    def get_inputs(self) -> Sequence[Named]:
        return ()

    def run(
        self, output_names: None, input_feed: dict[str, NDArray[np.int64]]
    ) -> Sequence[NDArray[np.float32]]:
        self.go.wait()
        return [np.zeros((1, 2), dtype=np.float32)]


async def test_a_model_that_takes_too_long_is_not_waited_for_and_keeps_no_other_task_waiting(
    tmp_path: Path,
) -> None:
    slow = Slow()
    tokenizer = OnnxDetector.load(write(tmp_path)).tokenizer
    detector = OnnxDetector(session=slow, tokenizer=tokenizer, version=None, timeout=0.05)
    ticks = asyncio.create_task(asyncio.sleep(0))
    found = await judged(detector, "hello", "there")
    slow.go.set()
    assert ticks.done()
    assert [one.reason for one in found] == ["timeout", "timeout"]


def refused(folder: Path, label: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        OnnxDetector.load(folder, label=label)
    assert caught.value.say("ko") != caught.value.say("en")
    return caught.value.say("en")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_is_missing_or_damaged_is_named(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).write_bytes(b"\xff{")
    assert name in refused(tmp_path)
    (tmp_path / name).unlink()
    assert name in refused(tmp_path)


def test_labels_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (write(tmp_path) / "config.json").write_text("{", "utf-8")
    assert "config.json" in refused(tmp_path)


def test_a_label_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    said = refused(write(tmp_path), label="EVIL")
    assert "EVIL" in said
    assert "SAFE, INJECTION" in said


def test_of_three_labels_somebody_must_choose(tmp_path: Path) -> None:
    labels = '{"id2label": {"0": "A", "1": "B", "2": "C", "x": "D"}}'
    (write(tmp_path) / "config.json").write_text(labels, "utf-8")
    assert "A, B, C" in refused(tmp_path)


async def test_a_folder_without_names_of_labels_has_two(tmp_path: Path) -> None:
    (write(tmp_path) / "config.json").unlink()
    (found,) = await judged(OnnxDetector.load(tmp_path), "poison")
    assert found.score > 0.99


def test_without_the_extra_the_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "pip install 'holdfast[onnx]'" in refused(tmp_path)
