"""What an answer must not carry out, and what becomes of one that does."""

from dataclasses import dataclass
from typing import Literal

from holdfast.errors import ConfigError, OutputBlocked
from holdfast.language import Sentence

VERSION = "1"
"""Of the rules of this guard; counted on when an answer would be judged differently."""

Mode = Literal["off", "flag", "redact", "stop"]
Kind = Literal["leak", "secret", "personal", "egress", "unexamined"]
"""A piece of the system prompt, a secret, personal data, a link that carries data away, a part nobody can read."""

SHORTEST_CANARY = 8
LEAST_HOLD_BACK, MOST_HOLD_BACK = 64, 8_192
_LOOKED_FOR: tuple[Kind, ...] = ("leak", "secret", "personal", "egress")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig:
    """What is looked for in answers, and what is done about it.

    `off` does not look. `flag` announces it and leaves every byte as it came. `redact` puts a mark in its place.
    `stop` ends the answer. Nothing is held back unless something is redacted or stopped. What the caller himself
    has sent is neither a leak nor a secret. The defaults only flag: a mark in the wrong place breaks the work of
    an agent, and how often that would happen shows in what is flagged.

    Attributes:
        leak: repeating the system prompt, or a canary.
        secrets: keys, tokens, passwords.
        personal: addresses, numbers of people; most answers may hold them.
        egress: links that carry data to hosts that neither the system prompt, nor the user, nor this table names.
        thinking: also look at the model's thinking, which is never altered: `redact` only flags there.
        unexamined: what follows from blocks that cannot be read; the coverage record names them in any case.
        canaries: texts that must never appear, each with 8 letters and digits or more.
        allowed_hosts: hosts, with all below them, that links may carry data to.
        hold_back: characters of a streamed block that wait at most, so that nothing gets out in two halves.

    Raises:
        ConfigError: a canary too short to be told from ordinary words, a hold back of too few or too many.
    """

    leak: Mode = "flag"
    secrets: Mode = "flag"
    personal: Mode = "off"
    egress: Mode = "flag"
    thinking: bool = False
    unexamined: Literal["off", "flag", "stop"] = "off"
    canaries: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    hold_back: int = 256

    def __post_init__(self) -> None:
        if any(sum(map(str.isalnum, canary)) < SHORTEST_CANARY for canary in self.canaries):
            raise ConfigError(_SHORT_CANARY)
        if not LEAST_HOLD_BACK <= self.hold_back <= MOST_HOLD_BACK:
            raise ConfigError(_hold_back(self.hold_back))

    def mode(self, kind: Kind) -> Mode:
        """What is done about a finding."""
        modes: dict[Kind, Mode] = {
            "leak": self.leak,
            "secret": self.secrets,
            "personal": self.personal,
            "egress": self.egress,
            "unexamined": self.unexamined,
        }
        return modes[kind]

    @property
    def is_on(self) -> bool:
        """Whether anything is looked for."""
        return any(self.mode(kind) != "off" for kind in _LOOKED_FOR)

    @property
    def holds_back(self) -> bool:
        """Whether an answer may come out otherwise than it came in."""
        return any(self.mode(kind) in ("redact", "stop") for kind in _LOOKED_FOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Characters `start` up to `end` of an answer's text; `code` says why, and never what stands there.

    `quote` surrounds the mark where JSON had a bare number.
    """

    kind: Kind
    code: str
    start: int
    end: int
    quote: str = ""

    @property
    def mark(self) -> str:
        """What the reader sees instead."""
        match self.kind:
            case "leak":
                return "[REDACTED:system_prompt]"
            case "egress":
                return "[REDACTED:link]"
            case _:
                return f"{self.quote}[REDACTED:{self.code}]{self.quote}"


def blocked(kind: Kind, code: str) -> OutputBlocked:
    """The error that an answer ends with; it never says what was found, only of what kind."""
    what = _WHAT[kind]
    key = "secrets" if kind == "secret" else kind
    return OutputBlocked(
        Sentence(
            f"The answer was stopped because it held {what.en} ({code}). Ask for something else, or have the "
            f"operator change `output.{key}`.",
            ko=f"답변에 {what.ko}({code}) 들어 있어 중단되었습니다. 다른 내용을 요청하거나 운영자에게 `output.{key}` 설정 변경을 "
            "문의하세요.",
        ),
        details={"kind": kind, "code": code},
    )


_WHAT: dict[Kind, Sentence] = {
    "leak": Sentence("a part of the system prompt", ko="시스템 프롬프트의 일부가"),
    "secret": Sentence("a secret", ko="비밀 정보가"),
    "personal": Sentence("personal data", ko="개인정보가"),
    "egress": Sentence("a link that carries data away", ko="데이터를 외부로 내보내는 링크가"),
    "unexamined": Sentence("a part that nobody could examine", ko="검사할 수 없는 부분이"),
}
_SHORT_CANARY = Sentence(
    f"canaries: each needs {SHORTEST_CANARY} letters and digits or more, or it turns up by chance; make them longer",
    ko=f"canaries: 우연히 나타나지 않도록 글자와 숫자가 {SHORTEST_CANARY}개 이상이어야 합니다. 더 길게 적으세요",
)


def _hold_back(characters: int) -> Sentence:
    return Sentence(
        f"hold_back: {characters} is not between {LEAST_HOLD_BACK} and {MOST_HOLD_BACK:,} characters; with fewer, "
        "secrets get out in halves, with more, readers wait",
        ko=f"hold_back: {characters}자는 {LEAST_HOLD_BACK}~{MOST_HOLD_BACK:,}자 범위를 벗어납니다. 너무 적으면 비밀 정보가 "
        "나뉘어 나가고, 너무 많으면 읽는 사람이 기다려야 합니다",
    )
