"""The weights of the detector as one file: a header in JSON, small integers deflated, and a digest of it all."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.detector.calibration import Calibration
from holdfast.policy.detector.features import GRAMS, MEANINGS, Features

Floats = NDArray[np.float32]
Channel = Literal["user", "tool"]

_MAGIC = b"holdfast detector 1\n"
_DIGEST = 32
_STEPS = 127
_LARGEST = 4_000_000
"""Bytes that unpacked weights may take: more is no file of ours."""


class HeadFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the header says of one head.

    Attributes:
        meaning_scale: the largest weight of a meaning.
        gram_scale: the largest weight of a gram.
        bias: what the score of an empty text is.
        width: letters in a window.
    """

    meaning_scale: float
    gram_scale: float
    bias: float
    width: int


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a weights file says of itself.

    Attributes:
        lexicon: digest of the lexicon that the weights were trained with.
        trained_on: digests of the data files, by name.
        heads: by channel.
        calibration: by channel, how often a score is a false alarm.
    """

    lexicon: str
    trained_on: Mapping[str, str]
    heads: Mapping[Channel, HeadFacts]
    calibration: Mapping[Channel, Calibration]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The weights for one channel.

    Attributes:
        meanings: of each feature of meaning.
        grams: of each feature of words and letters.
        bias: added to every score.
        width: letters in a window.
    """

    meanings: Floats
    grams: Floats
    bias: float
    width: int

    def scores(self, found: Features) -> NDArray[np.float64]:
        """The score of each window; above 0 is likelier an attack than not, as training saw them."""
        count = len(found.windows.starts)
        meaning = np.bincount(found.meaning_rows, self.meanings[found.meanings], minlength=count)
        words = np.bincount(found.gram_rows, self.grams[found.grams], minlength=count)
        return self.bias + meaning + words / np.sqrt(found.totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Both heads and their calibration.

    Attributes:
        header: what the file says of itself.
        heads: by channel.
        digest: SHA-256 of the file, in hex; its beginning is the detector's version.
    """

    header: Header
    heads: Mapping[Channel, Head]
    digest: str


def packed(header: Header, meanings: Mapping[Channel, Floats], grams: Mapping[Channel, Floats]) -> bytes:
    """A weights file; the weights are rounded to the units that the header gives."""
    rounded: list[bytes] = []
    for channel, facts in sorted(header.heads.items()):
        for values, unit in ((meanings[channel], facts.meaning_scale), (grams[channel], facts.gram_scale)):
            rounded.append(_rounded(values, unit).tobytes())
    facts_in_bytes = msgspec.json.encode(header, order="deterministic")
    body = (
        _MAGIC + len(facts_in_bytes).to_bytes(4, "big") + facts_in_bytes + zlib.compress(b"".join(rounded), 9)
    )
    return body + sha256(body).digest()


def _rounded(values: Floats, largest: float) -> NDArray[np.int8]:
    """The roots of the weights in 127 steps, so that small weights keep their shape beside large ones."""
    roots: Floats = np.sqrt(np.minimum(np.abs(values) / largest, 1))
    steps: Floats = np.rint(np.sign(values) * roots * _STEPS)
    return steps.astype(np.int8)


def _restored(numbers: NDArray[np.int8], largest: float) -> Floats:
    steps: Floats = numbers.astype(np.float32) / np.float32(_STEPS)
    restored: Floats = steps * np.abs(steps) * np.float32(largest)
    return restored


def unpacked(file: bytes, *, lexicon: str) -> Weights:
    """The weights of a file, made for the lexicon with the digest `lexicon`.

    Raises:
        ConfigError: it was altered or cut, is no weights file, or belongs to another lexicon.
    """
    body, digest = file[:-_DIGEST], file[-_DIGEST:]
    if not body.startswith(_MAGIC) or sha256(body).digest() != digest:
        raise _refused("it was altered, or is no weights file", "파일이 변경되었거나 가중치 파일이 아닙니다")
    start = len(_MAGIC) + 4
    end = start + int.from_bytes(body[start - 4 : start], "big")
    try:
        header = msgspec.json.decode(body[start:end], type=Header)
        numbers = zlib.decompressobj().decompress(body[end:], _LARGEST)
    except (msgspec.MsgspecError, zlib.error) as error:
        raise _refused(str(error), str(error)) from error
    if header.lexicon != lexicon:
        raise _refused(
            "it was trained with another lexicon; train it again",
            "다른 어휘로 학습되었습니다. 다시 학습하세요",
        )
    if len(numbers) != len(header.heads) * (MEANINGS + GRAMS):
        raise _refused("its size is wrong", "크기가 맞지 않습니다")
    return Weights(header=header, heads=_heads(header, numbers), digest=sha256(file).hexdigest())


def _heads(header: Header, numbers: bytes) -> dict[Channel, Head]:
    rows = np.frombuffer(numbers, dtype=np.int8).reshape(len(header.heads), MEANINGS + GRAMS)
    return {
        channel: Head(
            meanings=_restored(row[:MEANINGS], facts.meaning_scale),
            grams=_restored(row[MEANINGS:], facts.gram_scale),
            bias=facts.bias,
            width=facts.width,
        )
        for (channel, facts), row in zip(sorted(header.heads.items()), rows, strict=True)
    }


def _refused(en: str, ko: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The weights of the detector cannot be used: {en}.",
            ko=f"탐지기의 가중치를 사용할 수 없습니다: {ko}.",
        )
    )
