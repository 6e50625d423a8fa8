"""What a person reads of a call that was held back: exactly what it would have done, and why it was not."""

import re
from collections.abc import Mapping

from holdfast.language import Sentence
from holdfast.policy.taint import Code, Doubt

LONGEST_SHOWN = 1_000
"""Characters of the input of a call that are shown; of further ones their number."""

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_TWO_SCRIPTS = re.compile(
    "[a-z]*(?:[a-z][\u0370-\u052f]|[\u0370-\u052f][a-z])[a-z\u0370-\u052f]*", re.IGNORECASE
)
_NOT_ASCII = re.compile("[^\x00-\x7f]")


def shown(source: bytes) -> str:
    """The input of a call so that nothing in it hides or looks like something else."""
    whole = source.decode("utf-8", "replace").strip()
    text, left = whole[:LONGEST_SHOWN], len(whole) - LONGEST_SHOWN
    text = _TWO_SCRIPTS.sub(lambda word: _NOT_ASCII.sub(_escaped, word[0]), _HIDDEN.sub(_visible, text))
    text = text.replace("`", "\\u0060")
    return text if left <= 0 else f"{text} … (+{left:,})"


def _visible(found: re.Match[str]) -> str:
    return " " if found[0] in "\t\n\r" else _escaped(found)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


_WHY: Mapping[Code, Sentence] = {
    "flagged": Sentence(
        "something it has read looks like an attempt to give it orders",
        ko="읽은 내용 가운데 지시를 내리려는 시도로 보이는 글이 있습니다",
    ),
    "destination": Sentence(
        "it goes to a place that you have not named", ko="사용자가 말하지 않은 곳으로 향합니다"
    ),
    "named": Sentence("a text that it has read asks for it", ko="읽은 글이 이 작업을 요구합니다"),
    "command": Sentence(
        "it runs something that comes from a text it has read", ko="읽은 글에서 가져온 명령을 실행합니다"
    ),
    "verbatim": Sentence("it passes on word for word what it has read", ko="읽은 글을 그대로 옮깁니다"),
    "amount": Sentence("the amount comes from a text it has read", ko="금액이 읽은 글에서 왔습니다"),
    "unasked": Sentence("nobody is seen to have asked for it", ko="요청한 사람이 보이지 않습니다"),
}


def reason(found: Doubt) -> Sentence:
    """The doubt as a person reads it."""
    why = _WHY[found.code]
    if not found.what:
        return why
    return Sentence(f"{why.en} (`{found.what}`)", ko=f"{why.ko}(`{found.what}`)")


def denied(tool: str, source: bytes, found: Doubt) -> Sentence:
    """What stands in an answer in place of a call that may not be made."""
    why, call = reason(found), f"`{tool}` `{shown(source)}`"
    return Sentence(
        f"[holdfast] This action was not carried out: {call}. Why: {why.en}. Do it yourself if you want it done, or "
        "have the operator change `tools.while_tainted`.",
        ko=f"[holdfast] 이 작업은 실행되지 않았습니다: {call}. 이유: {why.ko}. 필요하면 직접 실행하거나 운영자에게 "
        "`tools.while_tainted` 설정 변경을 문의하세요.",
    )


def unconfirmed(tool: str, source: bytes, found: Doubt, code: str) -> Sentence:
    """What stands in an answer in place of a call that needs an approval, and how to give it."""
    why, call = reason(found), f"`{tool}` `{shown(source)}`"
    return Sentence(
        f"[holdfast] This action waits for your approval: {call}. Why: {why.en}. If you want exactly this, send the "
        f"request again with the header `x-holdfast-approve: {code}`.",
        ko=f"[holdfast] 이 작업은 승인을 기다리고 있습니다: {call}. 이유: {why.ko}. 정확히 이 작업을 원하면 "
        f"`x-holdfast-approve: {code}` 헤더를 넣어 다시 요청하세요.",
    )
