"""The first screen: what in a text speaks to the model instead of to its task, and how sure that is.

A rule is one or more patterns; a pattern is a row of steps that must follow one another within a few
characters and one sentence. Each step is searched once per view and the hits are then joined, so that the
cost stays linear in the text however it was written: there is no wide gap inside a regular expression
for an attacker to make it backtrack over.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from itertools import islice
from math import prod
from typing import Literal, get_args

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.expressions import compiled, needs, telling
from holdfast.policy.normalization import View, ViewName, views
from holdfast.policy.second_opinion import SecondOpinionConfig

Channel = Literal["user", "tool"]
Action = Literal["allow", "flag", "block"]
Reach = Literal["every", "plain", "source"]
Span = tuple[int, int]

CHANNELS: tuple[Channel, ...] = ("user", "tool")
DETECTED = "detector"
"""What a finding of the trained detector has for a rule."""
EVERY_RULE = "*"
EXCERPT_LENGTH = 120
_MAX_CHAINS = 50
_NEAR = 100
_PLAIN_VIEWS: frozenset[ViewName] = frozenset({"source", "folded", "unescaped"})
_REACHED: Mapping[Reach, frozenset[ViewName]] = {
    "every": frozenset(get_args(ViewName)) - {"source"},
    "plain": _PLAIN_VIEWS,
    "source": frozenset({"source"}),
}
_DISGUISE = 0.6
_SENTENCE_END = re.compile(r"[.!?][\"')\]]?\s|[。！？]|\n\s*\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Steps that follow one another, each a regular expression read without regard to case.

    Attributes:
        steps: what must be there, in this order.
        gap: how many characters may lie between two steps.
        loose: the same steps for text whose words run together; empty if the pattern makes no sense there.
    """

    steps: tuple[str, ...]
    gap: int = 40
    loose: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """Where a match is no attack: the sentence forbids it, or talks about it.

    Attributes:
        negated: ends right before the match ("do not ...").
        before: in the sentence before the match ("explain how ...").
        after: right behind the match ("... attacks").
        quoted: anywhere near, when the match stands in quotation marks or code.
    """

    negated: str
    before: str
    after: str
    quoted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing a text must not say.

    Attributes:
        id: stable name of the rule.
        patterns: any of them is enough.
        description: why a match is reported, in both languages.
        weight: how sure a match is, above 0 and at most 1.
        language: the language it reads (`any` for all).
        channels: whose text it reads.
        reach: `every` view, the `plain` ones (nothing decoded or respelled), or the `source` alone.
        requires: a cheap expression that must occur for the rule to be tried; empty for none.
        unless: where a match is no attack.

    Raises:
        ConfigError: an expression does not compile or could take exponential time, or the weight is off.
    """

    id: str
    patterns: tuple[Pattern, ...]
    description: Sentence
    weight: float = 0.9
    language: str = "any"
    channels: tuple[Channel, ...] = CHANNELS
    reach: Reach = "every"
    requires: str = ""
    unless: Exemption | None = None

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1:
            raise _bad_rule(
                self.id,
                f"weight {self.weight} is not in (0, 1]",
                f"가중치 {self.weight} 값이 0 초과 1 이하가 아닙니다",
            )
        for source in self._expressions():
            self._check(source)

    def _expressions(self) -> Iterator[str]:
        yield self.requires
        for pattern in self.patterns:
            yield from pattern.steps
            yield from pattern.loose
        if self.unless is not None:
            yield from (self.unless.negated, self.unless.before, self.unless.after, self.unless.quoted)

    def _check(self, source: str) -> None:
        try:
            compiled(source)
        except re.error as error:
            raise _bad_rule(
                self.id,
                f"{source} is no regular expression ({error})",
                f"{source}: 올바른 정규식이 아닙니다({error})",
            ) from error
        except ValueError as error:
            raise _bad_rule(
                self.id,
                f"{source} repeats a group that can match in several ways, which can take forever: write it without",
                f"{source}: 여러 방식으로 일치할 수 있는 묶음을 반복하면 끝나지 않을 수 있습니다. 반복 없이 써 주세요",
            ) from error


def _bad_rule(rule_id: str, en: str, ko: str) -> ConfigError:
    return ConfigError(Sentence(f"Screen rule {rule_id!r}: {en}.", ko=f"검사 규칙 {rule_id!r}: {ko}."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that matched, with the evidence.

    Attributes:
        rule: id of the rule.
        start: first character of the evidence in the source text.
        end: one past its last character.
        excerpt: what the rule read, at most `EXCERPT_LENGTH` characters.
        view: the reading in which it was seen.
        weight: how sure this finding is; higher than the rule's own when the words were disguised.
        reason: why it is reported.
    """

    rule: str
    language: str
    start: int
    end: int
    excerpt: str
    view: str
    weight: float
    reason: Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How sure the screen is in [0, 1], and what follows from it."""

    score: float
    action: Action


@dataclass(frozen=True, slots=True)
class ScreenConfig:
    """How strict the screen is.

    Attributes:
        enabled: whether texts are screened at all.
        max_length: longest text let through, in characters; `None` means no limit.
        max_examined: most characters of new text that are read in one call; of what is longer the beginning and
            the end are read, and the record says `too_much` of it, which `unexamined` may refuse.
        flag_at: score from which a text is flagged.
        block_at: score from which it is refused.
        channels: whose text is screened.
        mode: `monitor` refuses nothing on suspicion, and counts what `enforce` would have refused.
        monitor: rules that only watch, by id; `detector` is the trained detector, `*` stands for all.
        unexamined: whether a call with a block that cannot be examined, or not in full, is let through or refused.
        second_opinion: who is asked besides.

    Raises:
        ConfigError: a limit makes no sense, or a screen that is off is to refuse what it does not examine.
    """

    _: KW_ONLY
    enabled: bool = True
    max_length: int | None = None
    max_examined: int = 1_000_000
    flag_at: float = 0.5
    block_at: float = 0.7
    channels: tuple[Channel, ...] = CHANNELS
    mode: Literal["enforce", "monitor"] = "enforce"
    monitor: tuple[str, ...] = ()
    unexamined: Literal["allow", "refuse"] = "allow"
    second_opinion: SecondOpinionConfig = field(default_factory=SecondOpinionConfig)

    def only_watches(self, rule: str) -> bool:
        """Whether no text is refused for what this rule finds."""
        return self.mode == "monitor" or rule in self.monitor or EVERY_RULE in self.monitor

    def __post_init__(self) -> None:
        if self.unexamined == "refuse" and not self.enabled:
            raise ConfigError(
                Sentence(
                    "screen.unexamined refuses what is not examined, and with screen.enabled off that is every call:"
                    " change one of them.",
                    ko="screen.unexamined은 검사하지 않은 내용을 거부하는데, screen.enabled가 꺼져 있으면 모든 호출이"
                    " 거부됩니다. 둘 중 하나를 바꿔 주세요.",
                )
            )
        if self.max_length is not None and self.max_length < 1:
            raise ConfigError(
                Sentence(
                    f"screen.max_length is {self.max_length}, which lets no text through: use 1 or more, or leave it out.",
                    ko=f"screen.max_length 값이 {self.max_length}이면 어떤 글도 통과할 수 없습니다. 1 이상으로 하거나 빼 주세요.",
                )
            )
        if self.max_examined < 1:
            raise ConfigError(
                Sentence(
                    f"screen.max_examined is {self.max_examined}, which reads nothing: use 1 or more, or turn"
                    " screen.enabled off.",
                    ko=f"screen.max_examined 값이 {self.max_examined}이면 아무것도 검사하지 않습니다. 1 이상으로 하거나"
                    " screen.enabled를 꺼 주세요.",
                )
            )
        if not 0 < self.flag_at <= self.block_at <= 1:
            raise ConfigError(
                Sentence(
                    f"screen.flag_at ({self.flag_at}) and screen.block_at ({self.block_at}) must be"
                    " above 0, at most 1, and in this order.",
                    ko=f"screen.flag_at({self.flag_at})과 screen.block_at({self.block_at})은 0보다 크고 1 이하이며"
                    " 이 순서로 커야 합니다.",
                )
            )


def judge(findings: Iterable[Finding], config: ScreenConfig, *, detected: float = 0.0) -> Verdict:
    """What all findings and a detector's score amount to: one minus the chance that all are wrong."""
    score = round(1 - (1 - detected) * prod(1 - finding.weight for finding in findings), 4)
    if score >= config.block_at:
        return Verdict(score=score, action="block")
    return Verdict(score=score, action="flag" if score >= config.flag_at else "allow")


def screen(text: str, rules: Sequence[Rule], *, channel: Channel = "user") -> tuple[Finding, ...]:
    """What `rules` find in any reading of `text`: at most one finding a rule, the plainest reading first."""
    return screen_views(views(text), rules, channel=channel)


def screen_views(seen: Iterable[View], rules: Sequence[Rule], *, channel: Channel) -> tuple[Finding, ...]:
    """What `rules` find in readings that were made before."""
    found: dict[str, Finding] = {}
    for view in seen:
        reading = _Reading(view)
        for rule in rules:
            if rule.id not in found and channel in rule.channels and (span := reading.first(rule)):
                found[rule.id] = _finding(rule, view, span)
    return tuple(found.values())


def _finding(rule: Rule, view: View, span: Span) -> Finding:
    start, end = view.span(*span)
    seen = view.text[slice(*span)]
    plain = view.name in _PLAIN_VIEWS
    return Finding(
        rule=rule.id,
        language=rule.language,
        start=start,
        end=end,
        excerpt=" ".join(seen.split())[:EXCERPT_LENGTH],
        view=view.name,
        weight=rule.weight if plain else 1 - (1 - rule.weight) * _DISGUISE,
        reason=rule.description,
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """One view with what was already searched in it."""

    view: View
    hits: dict[str, tuple[Span, ...]] = field(default_factory=dict[str, tuple[Span, ...]])
    parts: dict[str, bool] = field(default_factory=dict[str, bool])

    def first(self, rule: Rule) -> Span | None:
        """The first match of the rule that no exemption covers."""
        if not self._reaches(rule):
            return None
        for pattern in rule.patterns:
            for count, span in enumerate(islice(self._chains(pattern), _MAX_CHAINS + 1)):
                if (
                    rule.unless is None
                    or count == _MAX_CHAINS
                    or not _exempt(self.view.text, span, rule.unless)
                ):
                    return span
        return None

    def _reaches(self, rule: Rule) -> bool:
        if self.view.name not in _REACHED[rule.reach]:
            return False
        return not rule.requires or compiled(rule.requires).search(self.view.text) is not None

    def _chains(self, pattern: Pattern) -> Iterator[Span]:
        steps = pattern.loose if self.view.loose else pattern.steps
        if not steps or not all(self._may_hold(step) for step in steps):
            return
        if not all(self._spans(step) for step in telling(steps)):
            return
        chains: Iterable[Span] = self._spans(steps[0])
        for step in steps[1:]:
            chains = tuple(_followed(chains, self._spans, step, pattern.gap, self.view.text))
        yield from chains

    def _may_hold(self, step: str) -> bool:
        if self.view.name == "source":
            return True
        needed = needs(step)
        return not needed or any(map(self._has, needed))

    def _has(self, part: str) -> bool:
        held = self.parts.get(part)
        if held is None:
            held = self.parts[part] = part in self.view.text
        return held

    def _spans(self, step: str) -> tuple[Span, ...]:
        if step not in self.hits:
            self.hits[step] = tuple(match.span() for match in compiled(step).finditer(self.view.text))
        return self.hits[step]


def _followed(
    chains: Iterable[Span], spans: Callable[[str], tuple[Span, ...]], step: str, gap: int, text: str
) -> Iterator[Span]:
    """Each chain's nearest continuation: two sorted rows walked once."""
    heads = iter(chains)
    waiting = next(heads, None)
    if waiting is None:
        return
    last: Span | None = None
    for start, end in spans(step):
        while waiting is not None and waiting[1] <= start:
            last, waiting = waiting, next(heads, None)
        if last is not None and start - last[1] <= gap and not _SENTENCE_END.search(text, last[1], start):
            yield last[0], end


# --- where a match is no attack ---------------------------------------------------------------------

_OPEN_QUOTE = re.compile('(?:^|[\\s(\\[{:,=])["\'`“‘«「『„][^"`“”«»「」『』\n]{0,80}$')
_CLOSE_QUOTE = re.compile('^[^"`“”«»「」『』\n]{0,120}?["\'`”’»」』](?!\\w)|^[^\n]{0,120}」')


def _exempt(text: str, span: Span, unless: Exemption) -> bool:
    """Whether the sentence forbids or discusses what the match says."""
    start, end = span
    before = _SENTENCE_END.split(text[max(0, start - _NEAR) : start])[-1]
    after = text[end : end + _NEAR]
    if compiled(unless.negated).search(before) or compiled(unless.before).search(before):
        return True
    if compiled(unless.after).match(after):
        return True
    if not (_OPEN_QUOTE.search(before) and _CLOSE_QUOTE.search(after)):
        return False
    around = text[max(0, start - 2 * _NEAR) : end + 2 * _NEAR]
    return compiled(unless.quoted).search(around) is not None
