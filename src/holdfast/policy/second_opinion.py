"""When another detector is asked about a text, and what follows when it does not answer."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import exp, isfinite, log
from typing import Literal, TypeAlias

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.money import pico

Band: TypeAlias = tuple[float, float]
Scores: TypeAlias = tuple[float, float]
Fail = Literal["open", "closed"]
Kind = Literal["off", "onnx", "http", "judge"]

BAND: Band = (0.001, 0.05)
"""From a text that would be refused to one that the default settings would not mention."""

SCORES: Scores = (0.5, 0.7)
"""What a score means until somebody has measured it: 0.5 a false-positive rate of 1 %, 0.7 one of 0.1 %."""
_CERTAIN = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondOpinionConfig:
    """The detector that is asked about texts of which the trained one is not sure.

    Attributes:
        kind: `onnx` is a classifier in a local folder, `http` an endpoint, `judge` a language model that is
            asked through the configured upstreams; `off` asks nobody.
        path: the folder of `onnx`, with `model.onnx` and `tokenizer.json`.
        label: which answer of `onnx` is an attack, by name or number; empty where it has only two.
        url: the whole address of `http`.
        key_env: the environment variable with the bearer token of `http`.
        model: the model of `judge`; empty for the small one of `[models]`.
        scores: what it scores at false-positive rates of 1 % and of 0.1 %, as measured on harmless texts of one's
            own; of no matter to an endpoint that tells the rate itself.
        band: lowest and highest false-positive rate for which it is asked, both included.
        timeout: seconds that it has for its answer.
        fail: without its answer, `open` lets the trained detector decide and `closed` refuses the text.
        budget_usd: dollars that `judge` may cost in a day, of all that `[budgets]` allow.

    Raises:
        ConfigError: a setting makes no sense, or one is missing.
    """

    kind: Kind = "off"
    path: str = ""
    label: str = ""
    url: str = ""
    key_env: str | None = None
    model: str = ""
    scores: Scores = SCORES
    band: Band = BAND
    timeout: float = 5.0
    fail: Fail = "open"
    budget_usd: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        check_band(self.band)
        if not 0 < self.scores[0] < self.scores[1] < 1:
            raise ConfigError(
                Sentence(
                    f"scores is {self.scores[0]} and {self.scores[1]}: give two scores between 0 and 1, the lower"
                    " one first.",
                    ko=f"scores 값이 {self.scores[0]}, {self.scores[1]}입니다. 0과 1 사이의 점수 두 개를 작은 값부터"
                    " 적어 주세요.",
                )
            )
        if not (isfinite(self.timeout) and self.timeout > 0):
            raise ConfigError(
                Sentence(
                    f"timeout is {self.timeout}: a second opinion needs more than 0 seconds.",
                    ko=f"timeout 값이 {self.timeout}입니다. 2차 판정에는 0초보다 긴 시간이 필요합니다.",
                )
            )
        if pico(self.budget_usd, name="budget_usd") <= 0:
            raise ConfigError(
                Sentence(
                    "budget_usd is 0: write an amount, or switch the judge off by kind.",
                    ko='budget_usd 값이 0입니다. 금액을 적거나 kind = "off"로 꺼 주세요.',
                )
            )
        missing = {"onnx": "path", "http": "url"}.get(self.kind)
        if missing is not None and not getattr(self, missing):
            raise ConfigError(
                Sentence(
                    f"kind is {self.kind}, which needs {missing}: add it.",
                    ko=f"kind 값이 {self.kind}이면 {missing} 설정이 필요합니다. 추가해 주세요.",
                )
            )


def is_uncertain(fpr: float, band: Band) -> bool:
    """Whether a false-positive rate leaves room for doubt."""
    low, high = band
    return low <= fpr <= high


def rate_at(score: float, scores: Scores = SCORES) -> float:
    """The false-positive rate of a score in [0, 1]; its logarithm is drawn straight between what is known."""
    steps = ((0.0, 1.0), (scores[0], 0.01), (scores[1], 0.001), (1.0, _CERTAIN))
    for (low, high_rate), (high, low_rate) in pairwise(steps):
        if score < high:
            return exp(log(high_rate) + (score - low) / (high - low) * log(low_rate / high_rate))
    return _CERTAIN


def check_band(band: Band) -> None:
    """Raise `ConfigError` unless it goes from a lower rate to a higher one, both from 0 to 1."""
    low, high = band
    if not 0 <= low <= high <= 1:
        raise ConfigError(
            Sentence(
                f"band is {low} to {high}: give two false-positive rates from 0 to 1, the lower one first.",
                ko=f"band 값이 {low}~{high}입니다. 0 이상 1 이하의 오탐률 두 개를 작은 값부터 적어 주세요.",
            )
        )
