"""What the screen makes of a text, told in full; and a false-positive budget fitted to one's own texts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Language, Sentence
from holdfast.parts.detector import default_model, load_model
from holdfast.parts.validator import DETECTED, InputValidator, Scan
from holdfast.policy.detector.calibration import (
    Calibration,
    Length,
    Script,
    fitted,
    length_of,
    rate_of,
    script_of,
)
from holdfast.policy.detector.model import Evidence, Model
from holdfast.policy.screening import CHANNELS, Action, Channel


class _Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A calibration file: for which weights it is, and what scores are worth by channel."""

    version: str
    channels: dict[Channel, Calibration]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the screen would do with one text.

    Attributes:
        score: how sure it is, in [0, 1].
        rate: estimated share of harmless texts that it is as sure of.
        action: what follows by default.
        scan: what it saw.
    """

    score: float
    rate: float
    action: Action
    scan: Scan

    def plain(self, language: Language) -> dict[str, object]:
        """As data for JSON."""
        return {
            "score": self.score,
            "fpr": self.rate,
            "action": self.action,
            "findings": [
                {
                    "rule": one.rule,
                    "view": one.view,
                    "start": one.start,
                    "end": one.end,
                    "excerpt": one.excerpt,
                    "weight": one.weight,
                    "reason": one.reason.say(language),
                }
                for one in self.scan.findings
            ],
            "concepts": [
                {"concepts": one.concepts, "start": one.start, "end": one.end, "weight": one.weight}
                for one in self._evidence()
            ],
        }

    def sentences(self) -> Iterator[Sentence]:
        """For people: the verdict, then why."""
        yield Sentence(
            f"{_SAID[self.action].en}: suspicion {self.score:.2f}; of harmless texts {self.rate:.2%} look as suspicious.",
            ko=f"{_SAID[self.action].ko}: 의심 점수 {self.score:.2f}. 무해한 글 가운데 {self.rate:.2%}가 이만큼 의심스럽습니다.",
        )
        for one in self.scan.findings:
            yield Sentence(
                f"  {one.rule} ({one.view}, {one.start}-{one.end}): {one.reason.en} {one.excerpt!r}",
                ko=f"  {one.rule} ({one.view}, {one.start}-{one.end}): {one.reason.ko} “{one.excerpt}”",
            )
        for pair in self._evidence():
            said = " → ".join(pair.concepts)
            yield Sentence(
                f"  concepts {said} at {pair.start}-{pair.end}, weight {pair.weight}",
                ko=f"  개념 {said}, 위치 {pair.start}-{pair.end}, 가중치 {pair.weight}",
            )

    def _evidence(self) -> tuple[Evidence, ...]:
        return () if self.scan.detection is None else self.scan.detection.evidence


_SAID: dict[Action, Sentence] = {
    "allow": Sentence("Allowed", ko="허용"),
    "flag": Sentence("Flagged", ko="표시"),
    "block": Sentence("Blocked", ko="차단"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """The screen with its detector, apart from any call."""

    model: Model
    validator: InputValidator

    @classmethod
    def opened(cls, *, weights: str | None = None, calibration: str | None = None) -> "Screen":
        """The screen that ships, or one with weights or a budget of one's own.

        Raises:
            ConfigError: a file cannot be read, or does not belong to the other.
        """
        model = default_model() if weights is None else load_model(weights)
        if calibration is not None:
            model = model.with_calibration(_budget(Path(calibration), model.version))
        return cls(model=model, validator=InputValidator(max_length=None, detector=model))

    def judged(self, text: str, *, channel: Channel) -> Answer:
        """What would happen to a text."""
        scan = self.validator.scan(text, channel=channel)
        score = scan.verdict.score
        by_rule = any(finding.rule != DETECTED for finding in scan.findings)
        rate = rate_of(score) if by_rule or scan.detection is None else scan.detection.rate
        return Answer(score=score, rate=float(f"{rate:.3g}"), action=scan.verdict.action, scan=scan)

    def calibrated(self, texts: Iterable[tuple[Channel, str]]) -> bytes:
        """A calibration file from harmless texts, of which it holds scores alone.

        Raises:
            ConfigError: no channel has enough texts.
        """
        scores: dict[Channel, list[tuple[Script, Length, float]]] = {channel: [] for channel in CHANNELS}
        for channel, text in texts:
            found = self.validator.scan(text, channel=channel).detection
            if found is not None:
                scores[channel].append((script_of(text), length_of(text), found.score))
        channels: dict[Channel, Calibration] = {}
        for channel, rows in scores.items():
            if len(rows) >= _FEWEST:
                channels[channel] = fitted(rows)
        if not channels:
            raise ConfigError(
                Sentence(
                    f"A budget needs {_FEWEST} harmless texts of a channel or more: send more lines.",
                    ko=f"보정에는 한 채널에 무해한 글이 {_FEWEST}개 이상 필요합니다. 더 많은 줄을 보내세요.",
                )
            )
        return msgspec.json.encode(
            _Budget(version=self.model.version, channels=channels), order="deterministic"
        )


_FEWEST = 200


def _budget(path: Path, version: str) -> dict[Channel, Calibration]:
    try:
        budget = msgspec.json.decode(path.read_bytes(), type=_Budget)
    except (OSError, msgspec.MsgspecError) as error:
        raise _unusable(path, f"{error}", f"{error}") from error
    if budget.version != version:
        raise _unusable(
            path,
            f"it was made for the weights {budget.version}, not {version}: calibrate again",
            f"{version}이 아니라 {budget.version} 가중치로 만든 파일입니다. 다시 보정하세요",
        )
    return budget.channels


def _unusable(path: Path, en: str, ko: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The calibration {path} cannot be used: {en}.",
            ko=f"보정 파일 {path}을 사용할 수 없습니다: {ko}.",
        )
    )
