"""Canned answers in the language of the question."""

import re
from random import Random

_HANGUL = re.compile(r"[가-힣]")
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_SUBJECT_LENGTH = 60

_ENGLISH = (
    "Here is what I can tell you about “{subject}”.",
    "Good question. Let me take “{subject}” step by step.",
    "You asked about “{subject}”, so let me start with the short answer.",
)
_ENGLISH_BODY = (
    "The main point is to begin with the smallest part that works, check the result, and only then add the next one.",
    "Three things matter here: what you have now, what you want to end up with, and what must not break on the way.",
    "In most cases the simple choice is the right one; measure before you change it, and keep a way back.",
    "It helps to write the expected outcome down first, because that makes the rest easy to verify.",
)
_ENGLISH_END = (
    "This answer comes from the simulator, so no model was asked and nothing was billed.",
    "Since this is the simulator speaking, treat the wording as a placeholder for a real answer.",
)
_KOREAN = (
    "문의하신 “{subject}”에 대해 말씀드리겠습니다.",
    "좋은 질문입니다. “{subject}”에 대해 차근차근 살펴보겠습니다.",
    "“{subject}”라고 물어보셨네요. 먼저 결론부터 말씀드릴게요.",
)
_KOREAN_BODY = (
    "우선 동작하는 가장 작은 부분부터 시작해서 결과를 확인한 다음, 하나씩 더해 가는 것이 좋습니다.",
    "여기서는 세 가지가 중요합니다. 지금의 상태, 원하는 결과, 그리고 그 과정에서 깨지면 안 되는 것입니다.",
    "대부분은 단순한 방법이 정답입니다. 바꾸기 전에 먼저 측정하고, 되돌릴 방법을 남겨 두세요.",
    "기대하는 결과를 먼저 적어 두면 나머지를 검증하기가 한결 쉬워집니다.",
)
_KOREAN_END = (
    "이 답변은 시뮬레이터가 만든 것이므로 실제 모델 호출이나 과금은 없었습니다.",
    "시뮬레이터의 답변이니 실제 답변의 자리를 채우는 예시로 보아 주세요.",
)


def is_korean(text: str) -> bool:
    """Whether a Korean answer is expected."""
    return _HANGUL.search(text) is not None


def without_reminders(text: str) -> str:
    """The text without the reminders that Claude Code adds to it."""
    return _REMINDER.sub("", text).strip()


def subject_of(text: str) -> str:
    """What the text is about, short enough to be quoted."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "…").strip("“”\"'")
    return first if len(first) <= _SUBJECT_LENGTH else first[: _SUBJECT_LENGTH - 1].rstrip() + "…"


def answer(text: str, roll: Random) -> str:
    """A few sensible sentences that take up the subject."""
    korean = is_korean(text)
    opening, body, end = (
        (_KOREAN, _KOREAN_BODY, _KOREAN_END) if korean else (_ENGLISH, _ENGLISH_BODY, _ENGLISH_END)
    )
    sentences = [roll.choice(opening).format(subject=subject_of(text).replace("{", "(").replace("}", ")"))]
    sentences += roll.sample(body, k=roll.randint(1, 2))
    return " ".join([*sentences, roll.choice(end)])


def from_result(question: str, results: list[str]) -> str:
    """An answer that uses what the tools returned."""
    shown = "; ".join(result if len(result) <= 400 else result[:399] + "…" for result in results)
    if is_korean(question) or is_korean(shown):
        return f"도구를 실행한 결과는 다음과 같습니다: {shown}"
    return f"Here is what the tool returned: {shown}"


def from_search(question: str) -> str:
    """An answer that uses what a web search found."""
    if is_korean(question):
        return f"웹에서 “{subject_of(question)}”에 관한 자료를 찾았습니다. 가장 관련 있는 결과는 예시 문서입니다."
    return f"I searched the web for “{subject_of(question)}”. The most relevant result is an example page."


def thought(text: str) -> str:
    """A thinking block's text."""
    if is_korean(text):
        return f"질문은 “{subject_of(text)}”이다. 짧고 정확하게 답하자."
    return f"The question is “{subject_of(text)}”. A short and exact answer is best."
