"""A classifier of texts in a local folder, run by ONNX Runtime; needs the extra `holdfast[onnx]`."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.parts.detection import Detection, GuardInput, unexamined
from holdfast.policy.sanitation import whole
from holdfast.policy.second_opinion import SCORES, Scores, rate_at

NAME = "onnx"
WINDOW, STRIDE = 510, 255
"""Tokens that are judged together, and from window to window; two more are for the marks around them."""
AT_ONCE = 8
"""Windows that go through the model together."""
MOST_WINDOWS = 256
"""Windows of one text; a longer text is not examined: it would keep a thread for a minute."""
LONGEST = 500_000
"""Characters of a text that is made into tokens at all."""
THREADS = 1


class Encoding(Protocol):
    """A text as a tokenizer has it."""

    ids: list[int]


class Tokenizer(Protocol):
    """What is used of `tokenizers.Tokenizer`."""

    def encode(self, sequence: str, *, add_special_tokens: bool = True) -> Encoding:
        """The text in tokens."""
        ...


class Named(Protocol):
    """An input of a model."""

    name: str


class Session(Protocol):
    """What is used of `onnxruntime.InferenceSession`."""

    def get_inputs(self) -> Sequence[Named]:
        """What the model wants."""
        ...

    def run(
        self, output_names: None, input_feed: dict[str, NDArray[np.int64]]
    ) -> Sequence[NDArray[np.float32]]:
        """What the model says."""
        ...


class _Config(msgspec.Struct, frozen=True):
    id2label: dict[str, str] = {}
    pad_token_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxDetector:
    """Judges texts by any sequence classifier, window by window; the surest window counts.

    Attributes:
        session: the model.
        tokenizer: the tokens that it knows.
        version: names the files of both.
        label: number of the answer that means an attack.
        pad: the token that fills up short windows.
        timeout: seconds for all texts of a call; work under way is not broken off, and its answer not used.
        scores: which shares of that label mean false-positive rates of 1 % and 0.1 %. Measure them: most
            classifiers are surer of themselves than they are right.
    """

    session: Session
    tokenizer: Tokenizer
    version: str | None
    label: int = 1
    pad: int = 0
    timeout: float = 5.0
    scores: Scores = SCORES
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(THREADS, "holdfast-onnx"), init=False, repr=False
    )

    @classmethod
    def load(
        cls, folder: str | Path, *, label: str = "", timeout: float = 5.0, scores: Scores = SCORES
    ) -> "OnnxDetector":
        """The classifier of a folder with `model.onnx`, `tokenizer.json` and, to go by names, `config.json`.

        `label` is a name or number; empty for the second of two. Raises `ConfigError` when the extra or a file
        is missing, a file is damaged, or the label is not to be found.
        """
        home = Path(folder).expanduser()
        files = {name: _bytes(home / name) for name in ("model.onnx", "tokenizer.json")}
        config = _config(home / "config.json")
        session, tokenizer = _opened(home, files["tokenizer.json"])
        digest = sha256(b"".join(sha256(data).digest() for data in files.values())).hexdigest()[:12]
        number = _label(label, config)
        return cls(
            session=session,
            tokenizer=tokenizer,
            version=f"{NAME}:{digest}:{number}",
            label=number,
            pad=config.pad_token_id or 0,
            timeout=timeout,
            scores=scores,
        )

    async def score(self, items: Sequence[GuardInput]) -> Sequence[Detection]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeout):
                return [await loop.run_in_executor(self._threads, self._judged, item.text) for item in items]
        except TimeoutError:
            return [unexamined(NAME, "timeout")] * len(items)

    async def aclose(self) -> None:
        """Let go of the thread; it ends when its work does."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _judged(self, text: str) -> Detection:
        if len(text) > LONGEST:
            return unexamined(NAME, "too_long")
        before, after = _marks(self.tokenizer)
        tokens = self.tokenizer.encode(whole(text), add_special_tokens=False).ids
        windows = [[*before, *window, *after] for window in windows_of(tokens)]
        if len(windows) > MOST_WINDOWS:
            return unexamined(NAME, "too_long")
        batches = range(0, len(windows), AT_ONCE)
        score = max(self._surest(windows[start : start + AT_ONCE]) for start in batches)
        return Detection(detector=NAME, score=score, fpr=rate_at(score, self.scores))

    def _surest(self, windows: Sequence[Sequence[int]]) -> float:
        length = max(1, *(len(window) for window in windows))
        ids = np.full((len(windows), length), self.pad, dtype=np.int64)
        mask = np.zeros((len(windows), length), dtype=np.int64)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = window
            mask[row, : len(window)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        wanted = {one.name: given[one.name] for one in self.session.get_inputs()}
        logits = self.session.run(None, wanted)[0].astype(np.float64)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return float((shares / shares.sum(axis=1, keepdims=True))[:, self.label].max())


def windows_of(tokens: Sequence[int]) -> Iterator[Sequence[int]]:
    """Every `WINDOW` tokens, each `STRIDE` after the last, until the end is in one; a text of none has one."""
    last = max(0, len(tokens) - WINDOW)
    for start in range(0, last + STRIDE, STRIDE):
        yield tokens[start : start + WINDOW]


def _marks(tokenizer: Tokenizer) -> tuple[Sequence[int], Sequence[int]]:
    """What the model is used to see before and behind a text."""
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    marked = tokenizer.encode("a").ids
    at = next((at for at in range(len(marked)) if marked[at : at + len(bare)] == bare), 0)
    return marked[:at], marked[at + len(bare) :]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unusable(path, error.strerror or type(error).__name__) from error


def _config(path: Path) -> _Config:
    if not path.exists():
        return _Config()
    try:
        return msgspec.json.decode(_bytes(path), type=_Config)
    except msgspec.MsgspecError as error:
        raise _unusable(path, str(error)) from error


def _opened(home: Path, tokenizer: bytes) -> tuple[Session, Tokenizer]:
    try:
        runtime, tokens = cast("Any", import_module("onnxruntime")), cast("Any", import_module("tokenizers"))
    except ImportError as error:
        raise ConfigError(
            Sentence(
                "screen.second_opinion: onnx needs an extra: pip install 'holdfast[onnx]'.",
                ko="screen.second_opinion: onnx에는 추가 설치가 필요합니다: pip install 'holdfast[onnx]'.",
            )
        ) from error
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(
            str(home / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its errors share no other class
        raise _unusable(home / "model.onnx", str(error)) from error
    try:
        words = tokens.Tokenizer.from_str(tokenizer.decode())
    except Exception as error:  # the library raises nothing more particular
        raise _unusable(home / "tokenizer.json", str(error)) from error
    words.no_truncation()
    words.no_padding()
    return cast("Session", session), cast("Tokenizer", words)


def _label(wanted: str, config: _Config) -> int:
    names = {name: int(number) for number, name in config.id2label.items() if number.isdecimal()}
    if wanted in names:
        return names[wanted]
    if wanted.isdecimal():
        return int(wanted)
    if not wanted and len(names) in (0, 2):
        return 1
    known = ", ".join(names)
    raise ConfigError(
        Sentence(
            f"label {wanted!r} is none of this classifier's: {known}. Name the one that means an attack.",
            ko=f"label {wanted!r}은(는) 이 분류기의 라벨이 아닙니다: {known}. 공격을 뜻하는 라벨을 적어 주세요.",
        )
    )


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"screen.second_opinion: {path} cannot be used: {why}. Check the folder that path names.",
            ko=f"screen.second_opinion: {path} 파일을 쓸 수 없습니다: {why}. path가 가리키는 폴더를 확인하세요.",
        )
    )
