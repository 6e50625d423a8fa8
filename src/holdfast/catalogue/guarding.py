"""Settings of guarding, in words: what may come in, what may leave, what is masked."""

from collections.abc import Mapping

from holdfast.language import Sentence

GUARDING: Mapping[str, Sentence] = {
    "screen.enabled": Sentence(
        "Whether texts are screened on their way in.", ko="들어오는 글을 검사할지 여부."
    ),
    "screen.max_length": Sentence(
        'Characters that a user\'s text may have; "none" sets no limit.',
        ko='사용자 글의 최대 글자 수. "none"이면 제한하지 않습니다.',
    ),
    "screen.max_examined": Sentence(
        "Characters of new text that are read in one call; of what is longer, the beginning and the end.",
        ko="호출 하나에서 새로 읽는 글자 수. 더 길면 앞부분과 끝부분만 읽습니다.",
    ),
    "screen.flag_at": Sentence("The score from which a text is flagged.", ko="표시하기 시작하는 점수."),
    "screen.block_at": Sentence("The score from which a text is blocked.", ko="차단하기 시작하는 점수."),
    "screen.channels": Sentence(
        "What is screened: user texts, tool results, or both.",
        ko="검사 대상: 사용자 글, 도구 결과 또는 둘 다.",
    ),
    "screen.mode": Sentence(
        "enforce blocks; monitor only notes what it would have blocked.",
        ko="enforce는 차단하고 monitor는 차단했을 것을 기록만 합니다.",
    ),
    "screen.monitor": Sentence(
        "Rules that are only noted, whatever the mode.", ko="방식과 관계없이 기록만 하는 규칙들."
    ),
    "screen.unexamined": Sentence(
        "What happens to a call with a block that was not examined in full: allow or refuse.",
        ko="다 검사하지 못한 블록이 있는 호출의 처리: allow 또는 refuse.",
    ),
    "screen.second_opinion.kind": Sentence(
        "Who is asked about uncertain texts: onnx, http, judge, or off.",
        ko="애매한 글을 물어볼 상대: onnx, http, judge 또는 off.",
    ),
    "screen.second_opinion.path": Sentence(
        "The folder of onnx, with model.onnx and tokenizer.json.",
        ko="onnx 폴더. model.onnx와 tokenizer.json이 있어야 합니다.",
    ),
    "screen.second_opinion.label": Sentence(
        "Which answer of onnx is an attack; empty where it has only two.",
        ko="onnx의 답 중 공격을 뜻하는 것. 답이 둘뿐이면 비웁니다.",
    ),
    "screen.second_opinion.url": Sentence("The whole address of http.", ko="http의 전체 주소."),
    "screen.second_opinion.key_env": Sentence(
        "The environment variable with the bearer token of http.", ko="http의 베어러 토큰이 든 환경 변수."
    ),
    "screen.second_opinion.model": Sentence(
        "The model of judge; empty for the small one of [models].",
        ko="judge가 쓰는 모델. 비우면 [models]의 small.",
    ),
    "screen.second_opinion.scores": Sentence(
        "What it scores at false-positive rates of 1 % and of 0.1 %.",
        ko="오탐률 1%와 0.1%에 해당하는 그 탐지기의 점수.",
    ),
    "screen.second_opinion.band": Sentence(
        "The lowest and highest false-positive rate for which it is asked.",
        ko="물어보는 오탐률의 최저값과 최고값.",
    ),
    "screen.second_opinion.timeout": Sentence("Seconds it may take.", ko="기다리는 최대 시간(초)."),
    "screen.second_opinion.fail": Sentence(
        "What counts when it does not answer: open lets pass, closed blocks.",
        ko="답이 없을 때: open은 통과, closed는 차단.",
    ),
    "screen.second_opinion.budget_usd": Sentence(
        "Dollars a day that it may cost.", ko="하루에 쓸 수 있는 금액(달러)."
    ),
    "output.leak": Sentence(
        "What happens when an answer carries the system prompt: off, flag, redact, stop.",
        ko="답에 시스템 프롬프트가 있을 때: off, flag, redact, stop.",
    ),
    "output.secrets": Sentence(
        "What happens when an answer carries a secret.", ko="답에 비밀 값이 있을 때의 처리."
    ),
    "output.personal": Sentence(
        "What happens when an answer carries personal data.", ko="답에 개인정보가 있을 때의 처리."
    ),
    "output.egress": Sentence(
        "What happens when an answer carries a link that would carry data away.",
        ko="답에 데이터를 빼내는 링크가 있을 때의 처리.",
    ),
    "output.thinking": Sentence(
        "Whether thinking is read as well.", ko="사고(thinking) 내용도 검사할지 여부."
    ),
    "output.unexamined": Sentence(
        "What happens to answers with blocks that cannot be read: off, flag, stop.",
        ko="읽을 수 없는 블록이 있는 답의 처리: off, flag, stop.",
    ),
    "output.canaries": Sentence(
        "Texts that must never appear in an answer, each of 8 letters or more.",
        ko="답에 절대 나타나서는 안 되는 글. 각각 8자 이상.",
    ),
    "output.allowed_hosts": Sentence(
        "Hosts, with all below them, that links may carry data to.",
        ko="링크로 데이터를 보내도 되는 호스트와 그 하위 호스트.",
    ),
    "output.hold_back": Sentence(
        "Characters of a stream that are held back to be read.",
        ko="검사를 위해 스트림에서 붙들어 두는 글자 수.",
    ),
    "tools.while_tainted": Sentence(
        "What a tool that acts needs after untrusted text: off, flag, confirm, deny.",
        ko="신뢰할 수 없는 글을 읽은 뒤 무언가를 실행하는 호출의 처리: off, flag, confirm, deny.",
    ),
    "tools.trusted": Sentence("Tools whose results are trusted.", ko="결과를 믿는 도구들."),
    "tools.consequential": Sentence(
        "Tools that act, whatever their names say.", ko="이름과 관계없이 무언가를 실행하는 도구들."
    ),
    "tools.harmless": Sentence(
        "Tools that only read, whatever their names say.", ko="이름과 관계없이 읽기만 하는 도구들."
    ),
    "tools.fence": Sentence(
        "Whether flagged results are fenced with a warning.", ko="표시된 결과를 경고로 감쌀지 여부."
    ),
    "tools.approval_seconds": Sentence(
        "Seconds for which the code of an approval is good, at least.", ko="승인 코드가 유효한 최소 시간(초)."
    ),
    "tools.pins": Sentence(
        "What happens when the description of a tool has changed: off, flag, refuse.",
        ko="도구 설명이 바뀌었을 때의 처리: off, flag, refuse.",
    ),
    "tools.pinned": Sentence(
        "Tools whose descriptions are pinned, by name or pattern.",
        ko="설명을 고정하는 도구의 이름 또는 패턴.",
    ),
    "redaction.names": Sentence(
        "Further names of fields whose values are masked.", ko="값을 가릴 추가 필드 이름들."
    ),
    "redaction.prefixes": Sentence(
        "Further prefixes that mark a secret.", ko="비밀 값임을 나타내는 추가 접두어들."
    ),
    "redaction.patterns": Sentence(
        "Further patterns (RE2) that are masked, by name.", ko="가릴 추가 패턴(RE2), 이름별."
    ),
    "redaction.tag_key_env": Sentence(
        "The variable with a key for tags, so that equal secrets get equal marks.",
        ko="같은 비밀 값에 같은 표시를 붙일 때 쓰는 키가 든 변수.",
    ),
}
