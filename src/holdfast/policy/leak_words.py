"""How much each word of a system prompt says about whose prompt it is."""

import re

from holdfast.policy.leak_text import squeeze

RARE, COMMON = 3, 1
"""Weight of one unit of a word; a run of common words must be three times as long to count as much."""

_WORD = re.compile(r"\w+")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ENGLISH = _listed(
    "a about above accurate across after again all also always am an and another any appropriate are as ask asked "
    "asking asks assist assistance assistant at available avoid based be because been before being below best "
    "better between both but by call can cannot case cases change clear clearly come complete concise consider "
    "content context correct could data day detailed details different do does doing done down during each either "
    "else english ensure even every everything example examples explain find first follow following for format "
    "from full further general get give given go good had has have having he help helpful helping helps her here "
    "high his how however i if important in include including information input instead instructions into is it "
    "its just keep know known korean language last let like line list long look made mainly make making many may "
    "me mean message messages might more most much must my name necessary need needed needs never new next no not "
    "note nothing now of off often on once one only open or order other our out over own part people please point "
    "polite politely possible prompt provide provided providing question questions rather read reply replies "
    "request requests required respond response responses result results right role rules s same say see set "
    "she short should show similar simple since so some someone something specific start step steps still such "
    "sure system t take task tasks tell tester text than that the their them then there these they thing things "
    "think this those through time to tone too tool tools two under unless until up us use used useful user users "
    "using very was way we well were what when where whether which while who whose why will with within without "
    "word words work would write written yes yet you your yourself ai model helpful honest harmless friendly"
)
_KOREAN = _listed(
    "사용 질문 답변 당신 한국 도움 정보 친절 대답 제공 있습 없습 합니 하세 하십 경우 요청 다음 "
    "항상 절대 반드 그리 또한 그러 위해 대한 대해 통해 따라 관련 필요 가능 내용 설명 작성 정확 "
    "명확 간결 존댓 언어 영어 모든 어떤 이용 확인 안내 도와 말씀 시스 프롬 지시 규칙 역할 모델 "
    "인공 비서 어시 해야 하지 마세 됩니 입니 것을 것이 것은 무엇 어떻 수행 작업 결과 문장 단어 "
    "예를 때는 고객 상담 문의"
)
"""The first two syllables of such words; what follows them is grammar."""


def weigh(text: str) -> list[int]:
    """The weight of every unit of the squeezed text."""
    weights: list[int] = []
    words: list[str] = _WORD.findall(text.lower())
    for word in words:
        is_common = word in _ENGLISH or word[:2] in _KOREAN or len(word) == 1
        units = len(word) if word.isascii() and word.isalpha() else len(squeeze(word))
        weights += [COMMON if is_common else RARE] * units
    return weights
