"""Training as users run it: a folder of examples in, weights with their card out."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.parts.detector import default_lexicon, lexicon_digest
from holdfast.policy.detector.model import Model
from holdfast.policy.detector.weights import unpacked
from holdfast.training.card import Facts, card
from holdfast.training.examples import read_data
from holdfast.training.grammar import Grammar, parse_grammar
from holdfast.training.probes import probed
from holdfast.training.training import Course, train


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A weights file and its model card in Markdown."""

    weights: bytes
    card: str


def default_grammars() -> tuple[Grammar, ...]:
    """The grammars that ship with holdfast, in the order of their languages."""
    files = resources.files("holdfast.training").joinpath("grammar").iterdir()
    texts = sorted((file.name, file.read_text("utf-8")) for file in files if file.name.endswith(".toml"))
    return tuple(parse_grammar(text) for _, text in texts)


def trained(folder: Path, *, seed: int = 1, share: float = 1.0) -> Made:
    """Weights from the examples in a folder, and what they are worth; the same folder gives the same bytes.

    Raises:
        ConfigError: there are no examples, a line is none, or harmless ones are too few to calibrate by.
    """
    data = read_data(folder)
    course = Course(
        lexicon=default_lexicon(),
        lexicon_digest=lexicon_digest(),
        grammars=default_grammars(),
        seed=seed,
        share=share,
    )
    try:
        made = train(data, course)
    except ValueError as error:
        raise ConfigError(
            Sentence(
                "Each channel needs 200 harmless texts or more to calibrate by: add some.",
                ko="채널마다 보정에 쓸 무해한 글이 200개 이상 필요합니다. 자료를 더 넣어 주세요.",
            )
        ) from error
    model = Model(lexicon=course.lexicon, weights=unpacked(made.weights, lexicon=course.lexicon_digest))
    facts = Facts(
        version=model.version,
        size=len(made.weights),
        digests=data.digests,
        probed=tuple(probed(model)),
        disguised=made.disguised,
        documents=made.documents,
    )
    return Made(weights=made.weights, card=card(made.judged, facts))
