"""The first screen to use alone: is this text fit to be sent, and what of it is sent."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cache
from importlib import resources
from typing import Literal

from holdfast.errors import ConfigError
from holdfast.language import Language, Sentence
from holdfast.parts.detector import default_model
from holdfast.policy.detector.calibration import suspicion
from holdfast.policy.detector.model import Detection, Model
from holdfast.policy.normalization import View, views
from holdfast.policy.rulebook import parse_rules
from holdfast.policy.sanitation import is_blank, sanitize, whole
from holdfast.policy.screening import DETECTED as DETECTED
from holdfast.policy.screening import (
    EXCERPT_LENGTH,
    Channel,
    Finding,
    Pattern,
    Rule,
    ScreenConfig,
    Verdict,
    judge,
    screen_views,
)

Detector = Callable[[str], float]


@cache
def default_rules() -> tuple[Rule, ...]:
    """The rules that ship with holdfast, every language."""
    books = resources.files("holdfast.policy").joinpath("rules").iterdir()
    texts = sorted((book.name, book.read_text("utf-8")) for book in books if book.name.endswith(".toml"))
    return tuple(rule for _, text in texts for rule in parse_rules(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What the screen saw in one block of text.

    Attributes:
        verdict: what it amounts to.
        findings: what the rules saw, and last what the trained detector saw where it is suspicious.
        detection: what the trained detector made of it; `None` where none was asked.
        detected: what a detector alone makes of it, in [0, 1].
    """

    verdict: Verdict
    findings: tuple[Finding, ...]
    detection: Detection | None = None
    detected: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationResult:
    """What the validator says of one text.

    Attributes:
        is_valid: whether the text may be sent.
        errors: one readable sentence for each thing that is wrong, in the validator's language.
        findings: what the rules saw, with the evidence; also those too weak to refuse the text.
        sanitized_input: what is to be sent: the text without control and invisible characters.
        score: how sure the screen is that the text is an attack, in [0, 1].
    """

    is_valid: bool
    errors: tuple[str, ...]
    findings: tuple[Finding, ...]
    sanitized_input: str
    score: float

    def __bool__(self) -> bool:
        return self.is_valid


@dataclass(frozen=True, slots=True)
class InputValidator:
    """Checks what a user typed: not empty, not too long, no attack on the model's instructions.

    Immutable and without state: one instance serves every thread.

    Attributes:
        max_length: longest text in characters; `None` means no limit.
        rules: `None` for the built-in rules. `Rule` values replace them; regular expressions given as
            strings (read without regard to case) are checked besides them.
        detector: `"default"` for the built-in rules and the trained detector; `"rules"` for the rules alone;
            a `Model` for the rules with weights of one's own; a callable from text to a score in [0, 1] in
            place of both; `None` for no screening. Rules given by hand are checked in any case; given as
            `Rule` values, or as an empty list, they replace all that is built in.
        language: in which `errors` are written.
        collapse_whitespace: whether every run of white space becomes one space. Off, layout is kept.

    Raises:
        ConfigError: a limit makes no sense, a detector or language is unknown, or a rule is no usable regular
            expression.
    """

    _: KW_ONLY
    max_length: int | None = 100_000
    rules: Sequence[Rule | str] | None = None
    detector: Detector | Model | Literal["default", "rules"] | None = "default"
    language: Language = "en"
    collapse_whitespace: bool = False
    _built_in: tuple[Rule, ...] = field(init=False, repr=False, compare=False)
    _own: tuple[Rule, ...] = field(init=False, repr=False, compare=False)
    _config: ScreenConfig = field(init=False, repr=False, compare=False)
    _model: Model | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.rules, str):
            raise ConfigError(
                Sentence(
                    "InputValidator(rules=...) takes a list of rules, not one string: put it in brackets.",
                    ko="InputValidator(rules=...)에는 문자열 하나가 아니라 목록을 넘겨야 합니다. 대괄호로 묶어 주세요.",
                )
            )
        _require_known(self.detector, ("default", "rules"), "detector")
        _require_known(self.language, ("en", "ko"), "language")
        if self.rules is not None:
            object.__setattr__(self, "rules", tuple(self.rules))
        object.__setattr__(self, "_config", ScreenConfig(max_length=self.max_length))
        object.__setattr__(self, "_built_in", default_rules() if self._screens_by_rule() else ())
        object.__setattr__(self, "_own", tuple(self._given()))
        object.__setattr__(self, "_model", self._trained())

    @property
    def version(self) -> str | None:
        """Names the weights that texts are judged by, `rules` without any; `None` for a callable of one's own."""
        if callable(self.detector):
            return None
        return "rules" if self._model is None else self._model.version

    def validate(self, text: str) -> ValidationResult:
        """Whether `text` may be sent, why not, and what is sent.

        Raises:
            TypeError: `text` is not a string.
        """
        _require_text(text)
        clean = sanitize(text, collapse_whitespace=self.collapse_whitespace)
        empty, long = is_blank(text), self.max_length is not None and len(text) > self.max_length
        # A text refused for its length is not worth the work of reading it.
        scan = self.scan("" if empty or long else text)
        errors = tuple(self._errors(text, scan, empty=empty, long=long))
        return ValidationResult(
            is_valid=not errors,
            errors=tuple(error.say(self.language) for error in errors),
            findings=scan.findings,
            sanitized_input=clean,
            score=scan.verdict.score,
        )

    def scan(self, text: str, *, channel: Channel = "user") -> Scan:
        """What the screen sees in a block of text, whatever its length: typed (`user`) or fetched (`tool`).

        Raises:
            TypeError: `text` is not a string.
            ValueError: the detector's score is not in [0, 1].
        """
        _require_text(text)
        seen = views(whole(text))
        if self._model is None:
            findings = screen_views(seen, (*self._built_in, *self._own), channel=channel)
            score = self._detected(seen[0].text)
            verdict = judge(findings, self._config, detected=score)
            return Scan(verdict=verdict, findings=findings, detected=score)
        detection = self._model.examine(seen, channel=channel)
        runs = (view for view in seen if view.loose)
        findings = screen_views((seen[0], *detection.suspects, *runs), self._built_in, channel=channel)
        findings = (*findings, *screen_views(seen, self._own, channel=channel))
        score = suspicion(detection.rate)
        if score >= self._config.flag_at:
            findings = (*findings, _read(detection, seen[0], score))
        return Scan(
            verdict=judge((one for one in findings if one.rule != DETECTED), self._config, detected=score),
            findings=findings,
            detection=detection,
            detected=score,
        )

    def _trained(self) -> Model | None:
        if isinstance(self.detector, Model):
            return self.detector
        return default_model() if self.detector == "default" and self._is_built_in() else None

    def _screens_by_rule(self) -> bool:
        by_name = isinstance(self.detector, str | Model)
        return by_name and self._is_built_in()

    def _is_built_in(self) -> bool:
        """Whether what is built in is used: rules given as values replace it, and so does an empty list."""
        return self.rules is None or (
            len(self.rules) > 0 and all(isinstance(rule, str) for rule in self.rules)
        )

    def _given(self) -> Iterator[Rule]:
        given = self.rules or ()
        yield from (rule for rule in given if isinstance(rule, Rule))
        sources = [rule for rule in given if isinstance(rule, str)]
        for number, source in enumerate(sources, start=1):
            yield forbidden(source, rule_id=f"custom-{number}")

    def _detected(self, text: str) -> float:
        if not callable(self.detector) or not text:
            return 0.0
        score = self.detector(text)
        if not 0 <= score <= 1:
            raise ValueError(f"the detector answered {score}, which is not in [0, 1]")
        return score

    def _errors(self, text: str, scan: Scan, *, empty: bool, long: bool) -> Iterator[Sentence]:
        if empty:
            yield _EMPTY
        if long:
            yield Sentence(
                f"The text has {len(text):,} characters, and {self.max_length:,} is the limit: shorten it.",
                ko=f"입력이 {len(text):,}자로 한도인 {self.max_length:,}자를 넘었습니다. 줄여 주세요.",
            )
        if scan.verdict.action == "block":
            by_rule = [finding for finding in scan.findings if finding.rule != DETECTED]
            yield from (_found(finding) for finding in by_rule)
            if not by_rule:
                yield _DETECTED


_EMPTY = Sentence("The text is empty: write something.", ko="입력이 비어 있습니다. 내용을 적어 주세요.")
_DETECTED = Sentence(
    "The text reads like an attempt to override the model's instructions: rephrase it.",
    ko="모델의 지시를 바꾸려는 시도로 보입니다. 다르게 적어 주세요.",
)


def _read(detection: Detection, source: View, score: float) -> Finding:
    """What the trained detector saw, as a finding: where, and by which words."""
    first = min((one.start for one in detection.evidence), default=detection.start)
    last = max((one.end for one in detection.evidence), default=detection.end)
    said = ", ".join(" → ".join(one.concepts) for one in detection.evidence[:3])
    return Finding(
        rule=DETECTED,
        language="any",
        start=first,
        end=last,
        excerpt=" ".join(source.text[first:last].split())[:EXCERPT_LENGTH],
        view=detection.view,
        weight=score,
        reason=Sentence(
            f"It reads like an attack; {detection.rate:.2%} of harmless texts do as much ({said or 'by its wording'}).",
            ko=f"공격으로 보이는 글입니다. 무해한 글 가운데 이만큼 의심스러운 글은 {detection.rate:.2%}입니다"
            f"({said or '표현 전반'}).",
        ),
    )


def _found(finding: Finding) -> Sentence:
    return Sentence(
        f"Not allowed: {finding.reason.en} ({finding.excerpt!r}) Rephrase it.",
        ko=f"허용되지 않는 내용입니다. {finding.reason.ko} (“{finding.excerpt}”) 다르게 적어 주세요.",
    )


def _require_known(value: object, known: tuple[str, str], name: str) -> None:
    """Whoever misspells a name must hear of it: with an unknown detector nothing would be screened."""
    if isinstance(value, str) and value not in known:
        raise ConfigError(
            Sentence(
                f"InputValidator does not know the {name} {value!r}; use {known[0]!r} or {known[1]!r}.",
                ko=f"InputValidator에 {name}={value!r}은(는) 없습니다. {known[0]!r} 또는 {known[1]!r}을(를) 쓰세요.",
            )
        )


def _require_text(text: object) -> None:
    if not isinstance(text, str):
        raise TypeError(f"the text must be a str, not {type(text).__name__}")


def forbidden(source: str, *, rule_id: str) -> Rule:
    """A rule that refuses whatever matches the regular expression `source`, without regard to case.

    Raises:
        ConfigError: it is no usable regular expression.
    """
    return Rule(
        id=rule_id,
        patterns=(Pattern(steps=(source,)),),
        weight=1.0,
        reach="plain",
        description=Sentence(
            f"The pattern {source} is forbidden here.", ko=f"여기서는 {source} 패턴을 쓸 수 없습니다."
        ),
    )
