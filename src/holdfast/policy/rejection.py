"""What the refusals of the screen say, each with the block that it is about."""

from collections.abc import Sequence

from holdfast.errors import InputRejected
from holdfast.language import Sentence
from holdfast.policy.screening import DETECTED, Finding
from holdfast.wire.messages import TextBlock
from holdfast.wire.unread import Unread


def rejected(block: TextBlock, findings: Sequence[Finding]) -> InputRejected:
    """The refusal of a text for what was found in it, if anything was that has a name."""
    if not findings:
        return InputRejected(
            Sentence(
                f"Blocked at {block.path}: the text reads like an attempt to override the model's instructions. "
                "Rephrase it, or adjust the detector.",
                ko=f"{block.path}의 글이 모델의 지시를 바꾸려는 시도로 보여 차단되었습니다. 문장을 바꾸거나 탐지기를 조정하세요.",
            ),
            details={"path": block.path},
        )
    # A rule says more plainly than the detector what is wrong.
    finding = max(findings, key=lambda found: (found.rule != DETECTED, found.weight))
    why = finding.reason
    return InputRejected(
        Sentence(
            f"Blocked by rule {finding.rule} at {block.path}: {why.en} Rephrase the text, or change the rule.",
            ko=f"{block.path}에서 규칙 {finding.rule}에 따라 차단되었습니다: {why.ko} 문장을 바꾸거나 규칙을 조정하세요.",
        ),
        details={"rule": finding.rule, "path": block.path},
    )


def too_long(block: TextBlock, longest: int) -> InputRejected:
    """The refusal of a text for its length alone."""
    return InputRejected(
        Sentence(
            f"The text at {block.path} has {len(block.text):,} characters, more than the {longest:,} allowed "
            "by screen.max_length. Send a shorter text.",
            ko=f"{block.path}의 글이 {len(block.text):,}자로 screen.max_length가 허용하는 {longest:,}자보다 깁니다. "
            "더 짧은 글을 보내세요.",
        ),
        details={"path": block.path},
    )


def unheard(block: TextBlock, reason: str) -> InputRejected:
    """The refusal of a doubtful text about which the second opinion could not be had."""
    return InputRejected(
        Sentence(
            f"The text at {block.path} could not be examined: the second opinion is not to be had ({reason}), and "
            "screen.second_opinion.fail is closed. Try again later, or rephrase it.",
            ko=f"{block.path}의 글을 검사하지 못했습니다. 2차 판정을 받을 수 없고({reason}) screen.second_opinion.fail이 "
            "closed입니다. 나중에 다시 시도하거나 문장을 바꾸세요.",
        ),
        details={"path": block.path, "reason": reason},
    )


def too_much(block: TextBlock, most: int) -> InputRejected:
    """The refusal of a text of which only the ends were read."""
    return InputRejected(
        Sentence(
            f"The text at {block.path} was examined only in part: a call has more new text than the {most:,} characters "
            "of screen.max_examined, and screen.unexamined is refuse. Send less at once, or raise the limit.",
            ko=f"{block.path}의 글을 일부만 검사했습니다. 한 호출의 새 글이 screen.max_examined의 {most:,}자를 넘고 "
            "screen.unexamined가 refuse입니다. 나누어 보내거나 한도를 늘리세요.",
        ),
        details={"path": block.path, "reason": "too_much"},
    )


def unexamined(block: Unread) -> InputRejected:
    """The refusal of a call for a block that nobody here can read."""
    return InputRejected(
        Sentence(
            f"The block at {block.path} cannot be examined ({block.reason}), and screen.unexamined is refuse. "
            "Send its content as text, or leave it out.",
            ko=f"{block.path}의 블록은 검사할 수 없고({block.reason}) screen.unexamined가 refuse입니다. "
            "내용을 글로 보내거나 빼고 보내세요.",
        ),
        details={"path": block.path, "reason": block.reason},
    )
