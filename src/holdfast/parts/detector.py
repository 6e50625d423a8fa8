"""The detector that ships with holdfast, and how another one is loaded."""

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.detector.concepts import Lexicon, parse_lexicon
from holdfast.policy.detector.model import Model
from holdfast.policy.detector.weights import unpacked

HOME = "holdfast.policy.detector"
WEIGHTS = "weights.bin"


@cache
def default_lexicon() -> Lexicon:
    """The concepts in the languages that holdfast knows."""
    return parse_lexicon(text for _, text in _lexicon_files())


@cache
def lexicon_digest() -> str:
    """SHA-256 of the lexicon's files, in hex."""
    return sha256("\0".join(f"{name}\0{text}" for name, text in _lexicon_files()).encode()).hexdigest()


@cache
def default_model() -> Model:
    """The detector with the weights that ship with holdfast."""
    file = resources.files(HOME).joinpath(WEIGHTS).read_bytes()
    return Model(lexicon=default_lexicon(), weights=unpacked(file, lexicon=lexicon_digest()))


def load_model(path: str | Path) -> Model:
    """The detector with weights of one's own, from `holdfast guard train`.

    Raises:
        ConfigError: the file cannot be read, was altered, or belongs to another lexicon.
    """
    try:
        file = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(
            Sentence(
                f"The weights {path} cannot be read ({error.strerror}).",
                ko=f"가중치 {path} 파일을 읽을 수 없습니다({error.strerror}).",
            )
        ) from error
    return Model(lexicon=default_lexicon(), weights=unpacked(file, lexicon=lexicon_digest()))


@cache
def _lexicon_files() -> tuple[tuple[str, str], ...]:
    return tuple(sorted(_files()))


def _files() -> Iterator[tuple[str, str]]:
    for file in resources.files(HOME).joinpath("lexicon").iterdir():
        if file.name.endswith(".toml"):
            yield file.name, file.read_text("utf-8")
