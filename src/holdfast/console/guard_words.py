"""Every sentence of the page of the guard."""

from collections.abc import Mapping

from holdfast.language import Sentence

WORDS: Mapping[str, Sentence] = {
    "blocked": Sentence("What was blocked", ko="차단된 요청"),
    "none": Sentence("Nothing blocked.", ko="차단된 것이 없습니다."),
    "none_hint": Sentence(
        "{count} rules and a trained detector are watching; try one with the box below.",
        ko="규칙 {count}개와 학습된 탐지기가 지켜보고 있습니다. 아래 상자에서 시험해 보세요.",
    ),
    "off": Sentence(
        "The screen is switched off: no text is examined ([screen] enabled).",
        ko="입력 검사가 꺼져 있어 아무 글도 검사하지 않습니다([screen] enabled).",
    ),
    "monitoring": Sentence(
        "The screen only watches ([screen] mode): nothing is blocked, and what would have been is counted below.",
        ko="입력 검사가 감시 모드입니다([screen] mode). 아무것도 차단하지 않고, 차단했을 것을 아래에 집계합니다.",
    ),
    "time": Sentence("time", ko="시각"),
    "by": Sentence("by", ko="판단한 가드"),
    "guard_screen": Sentence("input screen", ko="입력 검사"),
    "guard_pins": Sentence("tool pins", ko="도구 고정"),
    "guard_output": Sentence("answer check", ko="응답 검사"),
    "rule": Sentence("rule and reason", ko="규칙과 이유"),
    "where": Sentence("where it came from", ko="출처"),
    "from_user": Sentence("user text", ko="사용자 글"),
    "from_tool": Sentence("tool result", ko="도구 결과"),
    "from_document": Sentence("document", ko="문서"),
    "from_offer": Sentence("tool on offer", ko="제공된 도구"),
    "from_answer": Sentence("the model's answer", ko="모델의 응답"),
    "from_unknown": Sentence("not kept", ko="기록 없음"),
    "who": Sentence("key / run", ko="키 / 실행"),
    "got": Sentence("the caller got", ko="호출자가 받은 것"),
    "request": Sentence("request", ko="요청"),
    "no_text": Sentence(
        "The text itself is never kept with a request, so neither is an excerpt or a score; paste a text below to see "
        "both. Record a key for a while to keep its requests, masked: holdfast requests record on.",
        ko="요청의 글은 저장하지 않으므로 발췌나 점수도 없습니다. 아래에 글을 붙여 넣으면 볼 수 있습니다. 가린 본문을 남기려면 "
        "한동안 키를 녹화하세요: holdfast requests record on.",
    ),
    "allow": Sentence("Allow a false alarm", ko="오탐 허용하기"),
    "allow_hint": Sentence(
        "A rule of the screen can only be taken back for everybody: let it watch for a while, here or in "
        "holdfast.toml, and restart. A tool description is approved for one key, below.",
        ko="입력 검사 규칙은 전체에 대해서만 풀 수 있습니다. holdfast.toml에서 해당 규칙을 감시 모드로 두고 다시 시작하세요. "
        "도구 설명은 아래에서 키마다 승인합니다.",
    ),
    "copy": Sentence("Copy", ko="복사"),
    "copied": Sentence("Copied", ko="복사됨"),
    "in_file": Sentence("In holdfast.toml", ko="holdfast.toml에"),
    "rules": Sentence(
        "What each rule has seen, since this worker began", ko="이 워커가 시작된 뒤 규칙별 집계"
    ),
    "rules_none": Sentence("No rule has seen anything yet.", ko="아직 아무 규칙도 걸리지 않았습니다."),
    "mode": Sentence("mode", ko="모드"),
    "watches": Sentence("only watches", ko="감시만"),
    "enforces": Sentence("blocks", ko="차단"),
    "n_blocked": Sentence("blocked", ko="차단"),
    "n_flagged": Sentence("flagged", ko="표시"),
    "n_would": Sentence("would have blocked", ko="차단했을 것"),
    "detector": Sentence(
        "What the trained detector finds suspicious.", ko="학습된 탐지기가 의심하는 글입니다."
    ),
    "unknown_rule": Sentence("A rule that this version does not know.", ko="이 버전이 모르는 규칙입니다."),
    "test": Sentence("Test a text", ko="글 시험하기"),
    "test_hint": Sentence(
        "It is judged as the screen of this gateway would judge it, and kept nowhere.",
        ko="이 게이트웨이의 입력 검사와 같은 기준으로 판단하며, 어디에도 저장하지 않습니다.",
    ),
    "text": Sentence("Text", ko="글"),
    "channel": Sentence("As", ko="종류"),
    "channel_user": Sentence("user text", ko="사용자 글"),
    "channel_tool": Sentence("tool result", ko="도구 결과"),
    "judge": Sentence("Test", ko="시험"),
    "action_allow": Sentence("Allowed", ko="허용"),
    "action_flag": Sentence("Flagged, and let through", ko="표시하고 통과"),
    "action_block": Sentence("Blocked", ko="차단"),
    "score": Sentence("score", ko="점수"),
    "score_hint": Sentence(
        "{rate} of harmless texts look as suspicious. Blocked from {block}, flagged from {flag}.",
        ko="무해한 글의 {rate}가 이만큼 의심스럽습니다. {block}부터 차단, {flag}부터 표시합니다.",
    ),
    "would": Sentence("Only because these rules watch: ", ko="감시 모드 규칙 때문에 통과: "),
    "fenced": Sentence(
        "Results of tools are never blocked here: they are fenced off, and what acts after them is held ([tools]).",
        ko="도구 결과는 차단하지 않습니다. 울타리로 구분하고, 그 뒤의 행동을 제한합니다([tools]).",
    ),
    "unscreened": Sentence(
        "As this gateway is set, such texts are not examined at all ([screen]).",
        ko="현재 설정에서는 이런 글을 아예 검사하지 않습니다([screen]).",
    ),
    "findings": Sentence("What was seen", ko="발견한 것"),
    "findings_none": Sentence("No rule has seen anything.", ko="걸린 규칙이 없습니다."),
    "view": Sentence("as read", ko="읽은 방식"),
    "place": Sentence("letters", ko="글자 위치"),
    "weight": Sentence("sure", ko="확신"),
    "read": Sentence("read as", ko="읽은 내용"),
    "concepts": Sentence("Concepts that the detector joined", ko="탐지기가 연결한 개념"),
    "marked": Sentence("The text, with what was seen marked", ko="발견한 부분을 표시한 글"),
    "pins": Sentence("Tools", ko="도구"),
    "pins_hint": Sentence(
        "What a tool says of itself is pinned when it is first seen; another description is told of or refused "
        "([tools] pins).",
        ko="도구가 처음 나타날 때 설명을 고정합니다. 설명이 달라지면 알리거나 거절합니다([tools] pins).",
    ),
    "pins_none": Sentence("No tool has been seen yet.", ko="아직 본 도구가 없습니다."),
    "scope": Sentence("key", ko="키"),
    "tool": Sentence("tool", ko="도구"),
    "state": Sentence("state", ko="상태"),
    "state_pinned": Sentence("trusted as pinned", ko="고정됨"),
    "state_refused": Sentence("refused", ko="거절"),
    "fingerprint": Sentence("fingerprint", ko="지문"),
    "since": Sentence("since", ko="시작"),
    "acts": Sentence("do", ko="조치"),
    "refuse": Sentence("refuse", ko="거절"),
    "refuse_one": Sentence("Refuse the tool {name}", ko="{name} 도구 거절"),
    "forget": Sentence("pin anew", ko="다시 고정"),
    "forget_one": Sentence(
        "Pin the tool {name} anew when it is next seen", ko="{name} 도구를 다음에 다시 고정"
    ),
    "approve": Sentence("approve…", ko="승인…"),
    "approve_title": Sentence("Approve a tool's description", ko="도구 설명 승인"),
    "approve_hint": Sentence(
        "The refusal names all three; a blocked request above fills them in but for the tool.",
        ko="거절 응답에 세 가지가 모두 있습니다. 위의 차단된 요청에서 승인을 누르면 도구 이름 외에는 채워집니다.",
    ),
    "approve_do": Sentence("Approve for this key", ko="이 키에 승인"),
}
