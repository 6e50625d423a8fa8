"""What follows from what a screen has seen, where some of its rules only watch."""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.policy.screening import DETECTED, Action, Finding, ScreenConfig, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a text.

    Attributes:
        action: what is done.
        score: of all that was seen, watching rules included.
        rules: what was seen, each once.
        would_block: the watching rules for want of which the text is not refused.
    """

    action: Action
    score: float
    rules: tuple[str, ...]
    would_block: tuple[str, ...] = ()


def decide(
    findings: Sequence[Finding], config: ScreenConfig, *, detected: float = 0.0, may_block: bool = True
) -> Decision:
    """What the rules and the detector amount to; without `may_block` the worst is to be flagged."""
    by_rule = [finding for finding in findings if finding.rule != DETECTED]
    seen = [finding.rule for finding in by_rule] + ([DETECTED] if detected >= config.flag_at else [])
    rules = tuple(dict.fromkeys(seen))
    score = judge(by_rule, config, detected=detected).score
    binding = judge(
        (finding for finding in by_rule if not config.only_watches(finding.rule)),
        config,
        detected=0.0 if config.only_watches(DETECTED) else detected,
    )
    if score < config.block_at:
        return Decision(action="flag" if score >= config.flag_at else "allow", score=score, rules=rules)
    if binding.action == "block":
        return Decision(action="block" if may_block else "flag", score=score, rules=rules)
    watching = [rule for rule in (*rules, *([DETECTED] if detected > 0 else [])) if config.only_watches(rule)]
    would = tuple(dict.fromkeys(watching)) if may_block else ()
    return Decision(action="flag", score=score, rules=rules, would_block=would)


def decided(rule: str, config: ScreenConfig, *, may_block: bool = True) -> Decision:
    """What follows from something that one rule is sure of."""
    watches = config.only_watches(rule)
    return Decision(
        action="block" if may_block and not watches else "flag",
        score=1.0,
        rules=(rule,),
        would_block=(rule,) if may_block and watches else (),
    )
