"""What calls come to for whoever made them: a sign and a word each, since colour alone says nothing to many."""

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.language import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One outcome as it is shown."""

    sign: str
    label: Sentence


OUTCOMES: Mapping[str, Outcome] = {
    "answered": Outcome(sign="●", label=Sentence("answered", ko="응답")),
    "cached": Outcome(sign="◉", label=Sentence("cached", ko="캐시 응답")),
    "fallback": Outcome(sign="◆", label=Sentence("fallback", ko="대체 응답")),
    "refused": Outcome(sign="■", label=Sentence("refused", ko="거절")),
    "failed": Outcome(sign="▲", label=Sentence("failed", ko="실패")),
    "abandoned": Outcome(sign="○", label=Sentence("hung up", ko="호출자가 끊음")),
}
