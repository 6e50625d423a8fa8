"""Settings of money and limits, in words: prices, budgets, runs, quotas, alerts, routes, the cache."""

from collections.abc import Mapping

from holdfast.language import Sentence

SPENDING: Mapping[str, Sentence] = {
    "pricing.unknown_model": Sentence(
        "What a model without a price gets: refuse, or the dearest price in service that day.",
        ko="요금을 모르는 모델: 거절(refuse) 또는 그날 서비스 중인 가장 비싼 요금(dearest).",
    ),
    "pricing.multiplier": Sentence(
        "Every price times this: for a discount or a surcharge.",
        ko="모든 요금에 곱하는 수. 할인이나 할증에 씁니다.",
    ),
    "pricing.overrides.NAME.input": Sentence(
        "Dollars per million input tokens of a model.", ko="모델의 입력 토큰 백만 개당 달러."
    ),
    "pricing.overrides.NAME.output": Sentence(
        "Dollars per million output tokens.", ko="출력 토큰 백만 개당 달러."
    ),
    "pricing.overrides.NAME.cache_read": Sentence(
        "Dollars per million tokens read from the cache.", ko="캐시에서 읽은 토큰 백만 개당 달러."
    ),
    "pricing.overrides.NAME.cache_write_5m": Sentence(
        "Dollars per million tokens written to the 5 minute cache.", ko="5분 캐시에 쓴 토큰 백만 개당 달러."
    ),
    "pricing.overrides.NAME.cache_write_1h": Sentence(
        "Dollars per million tokens written to the 1 hour cache.", ko="1시간 캐시에 쓴 토큰 백만 개당 달러."
    ),
    "budgets.NAME.usd": Sentence(
        "Dollars that may be spent in the window.", ko="구간 동안 쓸 수 있는 금액(달러)."
    ),
    "budgets.NAME.per": Sentence(
        'The window: hour, day, month, total, run, or a length such as "24h".',
        ko='구간: hour, day, month, total, run 또는 "24h" 같은 길이.',
    ),
    "budgets.NAME.scope": Sentence(
        "Who has a budget of their own: organisation (everybody together), key, user, model, run, agent, tag:NAME.",
        ko="예산을 따로 갖는 단위: organisation(모두 함께), key, user, model, run, agent, tag:이름.",
    ),
    "budgets.NAME.timezone": Sentence(
        "Whose hours, days and months count.", ko="시간, 하루, 한 달을 세는 시간대."
    ),
    "budgets.NAME.alert_at": Sentence(
        "Shares of the limit at which an alert is sent.", ko="알림을 보내는 한도의 비율들."
    ),
    "budgets.NAME.mode": Sentence(
        "What is held for a call: strict its most, expected what such calls cost; clamp lowers max_tokens to fit.",
        ko="예약 방식: strict는 최대 비용, expected는 보통 비용, clamp는 max_tokens를 낮춰 맞춥니다.",
    ),
    "budgets.NAME.presumption": Sentence(
        "What a call is charged that was lost without a word: its hold (full) or what was seen of it (observed).",
        ko="소식 없이 사라진 호출의 청구: 예약 전액(full) 또는 관찰한 만큼(observed).",
    ),
    "budgets.NAME.where": Sentence(
        "The only calls that count: names of dimensions and their values.",
        ko="집계할 호출: 항목의 이름과 값.",
    ),
    "budgets.NAME.ladder.1.at": Sentence(
        "The share of the limit from which a step counts.", ko="단계가 시작되는 한도의 비율."
    ),
    "budgets.NAME.ladder.1.do": Sentence(
        "What it does: alert, degrade, ask, refuse.", ko="단계가 하는 일: alert, degrade, ask, refuse."
    ),
    "budgets.NAME.ladder.1.model": Sentence(
        "The model that calls are sent to instead.", ko="대신 보낼 모델."
    ),
    "budgets.NAME.ladder.1.max_tokens": Sentence(
        "The most tokens that an answer may have from there.", ko="거기서부터 답의 최대 토큰 수."
    ),
    "budgets.NAME.hard": Sentence(
        "Whether calls are refused; a soft budget counts and alerts.",
        ko="호출을 거절할지 여부. 거절하지 않는 예산은 세고 알리기만 합니다.",
    ),
    "budgets.NAME.min_tokens": Sentence(
        "With clamp, the fewest tokens that are worth an answer.",
        ko="clamp에서 답으로 쓸모 있는 최소 토큰 수.",
    ),
    "runs.calls": Sentence("Calls that one run may make.", ko="실행 하나의 최대 호출 수."),
    "runs.seconds": Sentence(
        "Seconds from the first call of a run to its last; pauses count.",
        ko="실행의 첫 호출부터 마지막까지의 시간(초). 멈춘 시간도 포함합니다.",
    ),
    "runs.agents": Sentence("Agents that one run may have.", ko="실행 하나의 최대 에이전트 수."),
    "runs.children": Sentence(
        "Children that one agent may have.", ko="에이전트 하나의 최대 하위 에이전트 수."
    ),
    "runs.depth": Sentence("How deep agents may have children.", ko="하위 에이전트의 최대 깊이."),
    "runs.progress.warn_at": Sentence(
        "Repetitions after which it is noted.", ko="기록하기 시작하는 반복 수."
    ),
    "runs.progress.notice_at": Sentence(
        "Repetitions after which the model is told.", ko="모델에게 알리는 반복 수."
    ),
    "runs.progress.stop_at": Sentence(
        "Repetitions after which the run is stopped.", ko="실행을 멈추는 반복 수."
    ),
    "runs.progress.watch": Sentence(
        "What is looked for: same_call, cycle, same_error.", ko="살피는 것: same_call, cycle, same_error."
    ),
    "runs.progress.ignore": Sentence(
        "Tools that may be called alike again and again.", ko="같은 호출을 되풀이해도 되는 도구들."
    ),
    "quotas.NAME.requests": Sentence("Requests in the window.", ko="구간 동안의 요청 수."),
    "quotas.NAME.per": Sentence("The window, in seconds.", ko="구간(초)."),
    "quotas.NAME.input_tokens": Sentence(
        "Input tokens in the window that are not read from the prompt cache.",
        ko="구간 동안의 입력 토큰 수. 프롬프트 캐시에서 읽은 것은 빼고 셉니다.",
    ),
    "quotas.NAME.output_tokens": Sentence("Output tokens in the window.", ko="구간 동안의 출력 토큰 수."),
    "quotas.NAME.concurrency": Sentence("Calls that run at once.", ko="동시에 실행하는 호출 수."),
    "quotas.NAME.scope": Sentence(
        "Who has limits of their own: organisation, or key, user, model, run, joined by +.",
        ko="한도를 따로 갖는 단위: organisation 또는 key, user, model, run(+로 묶을 수 있음).",
    ),
    "quotas.NAME.burst": Sentence("Requests that may come at once.", ko="한꺼번에 보낼 수 있는 요청 수."),
    "alerts.channels.NAME.kind": Sentence(
        "How people are told: webhook, slack, email.", ko="알리는 방법: webhook, slack, email."
    ),
    "alerts.channels.NAME.url": Sentence("The address of the webhook.", ko="웹훅 주소."),
    "alerts.channels.NAME.url_env": Sentence(
        "The variable that holds it, if it is secret.", ko="주소가 비밀일 때 그것이 든 변수."
    ),
    "alerts.channels.NAME.secret_env": Sentence(
        "The variable with the key that signs what is sent.", ko="보내는 내용에 서명할 키가 든 변수."
    ),
    "alerts.channels.NAME.host": Sentence("The mail server.", ko="메일 서버."),
    "alerts.channels.NAME.port": Sentence("Its port.", ko="메일 서버 포트."),
    "alerts.channels.NAME.starttls": Sentence(
        "Whether the connection is encrypted by STARTTLS.", ko="STARTTLS로 암호화할지 여부."
    ),
    "alerts.channels.NAME.user_env": Sentence(
        "The variable with the mail user.", ko="메일 사용자 이름이 든 변수."
    ),
    "alerts.channels.NAME.password_env": Sentence(
        "The variable with the mail password.", ko="메일 비밀번호가 든 변수."
    ),
    "alerts.channels.NAME.sender": Sentence("Whom mails come from.", ko="보내는 사람 주소."),
    "alerts.channels.NAME.to": Sentence("Whom mails go to.", ko="받는 사람 주소들."),
    "alerts.rules.NAME.when": Sentence(
        'The rule in words, such as "error rate > 5 % for 5m" or "circuit open".',
        ko='규칙을 말로 쓴 것. 예: "error rate > 5 % for 5m", "circuit open".',
    ),
    "alerts.rules.NAME.channels": Sentence(
        "The channels that are told; empty means all.", ko="알릴 채널들. 비우면 전부."
    ),
    "alerts.rules.NAME.again_every": Sentence(
        "Seconds after which an alert that goes on is told again.", ko="계속되는 문제를 다시 알리는 간격(초)."
    ),
    "alerts.rules.NAME.calm": Sentence(
        "Seconds without it before it is over.", ko="끝났다고 보기까지의 조용한 시간(초)."
    ),
    "route.enabled": Sentence("Whether models are chosen by rules.", ko="규칙으로 모델을 고를지 여부."),
    "route.shadow": Sentence(
        "Whether choices are only noted, with what they would have saved.",
        ko="고르지 않고 절약했을 금액만 기록할지 여부.",
    ),
    "route.models": Sentence(
        "Requests that ask for one of these are routed; empty stands for auto and the standard model.",
        ko="이 모델을 요청하면 규칙으로 고릅니다. 비우면 auto와 standard 모델.",
    ),
    "route.rules.1.to": Sentence(
        "Where calls of this rule go: small, standard, large, or a model.",
        ko="이 규칙의 호출을 보낼 곳: small, standard, large 또는 모델.",
    ),
    "route.rules.1.name": Sentence(
        "What events and reports call the rule.", ko="이벤트와 보고서에 쓰는 규칙 이름."
    ),
    "route.rules.1.tokens_over": Sentence(
        "Holds for more input tokens than these.", ko="입력 토큰이 이보다 많을 때."
    ),
    "route.rules.1.tokens_under": Sentence(
        "Holds for fewer input tokens than these.", ko="입력 토큰이 이보다 적을 때."
    ),
    "route.rules.1.tools_over": Sentence("Holds for more tools than these.", ko="도구가 이보다 많을 때."),
    "route.rules.1.images": Sentence(
        "Holds for requests with, or without, images.", ko="이미지가 있을 때 또는 없을 때."
    ),
    "route.rules.1.words": Sentence(
        "Holds where one of these stands in what the user said last.",
        ko="사용자의 마지막 말에 이 낱말 중 하나가 있을 때.",
    ),
    "route.rules.1.messages_over": Sentence(
        "Holds for longer conversations than this.", ko="대화가 이보다 길 때."
    ),
    "route.rules.1.thinking": Sentence(
        "Holds for requests with, or without, thinking.",
        ko="사고(thinking)가 켜져 있을 때 또는 꺼져 있을 때.",
    ),
    "route.rules.1.max_tokens_over": Sentence(
        "Holds for a larger max_tokens.", ko="max_tokens가 이보다 클 때."
    ),
    "route.rules.1.max_tokens_under": Sentence(
        "Holds for a smaller max_tokens.", ko="max_tokens가 이보다 작을 때."
    ),
    "route.rules.1.users": Sentence("Holds for these users.", ko="이 사용자들일 때."),
    "route.rules.1.tag": Sentence("Holds for calls with this tag.", ko="이 태그가 있을 때."),
    "route.small": Sentence(
        "The target called small; else models.small.", ko="small로 부르는 모델. 없으면 models.small."
    ),
    "route.standard": Sentence(
        "The target called standard; else models.standard.",
        ko="standard로 부르는 모델. 없으면 models.standard.",
    ),
    "route.large": Sentence(
        "The target called large; else models.large.", ko="large로 부르는 모델. 없으면 models.large."
    ),
    "route.simple_below": Sentence(
        "Complexity below which the small model answers, from 0 to 1.",
        ko="작은 모델이 답하는 복잡도 상한(0~1).",
    ),
    "route.complex_from": Sentence(
        "Complexity from which the large model answers, from 0 to 1.", ko="큰 모델이 답하는 복잡도 하한(0~1)."
    ),
    "route.text_only": Sentence("Models that must not get images.", ko="이미지를 보내면 안 되는 모델들."),
    "cache.enabled": Sentence(
        "Whether equal requests get an earlier answer.", ko="같은 요청에 이전 답을 줄지 여부."
    ),
    "cache.ttl": Sentence(
        "Seconds for which an answer may be given again.", ko="답을 다시 줄 수 있는 시간(초)."
    ),
    "cache.max_entries": Sentence("How many answers are kept.", ko="보관하는 답의 수."),
    "cache.max_bytes": Sentence("Bytes that all of them may take.", ko="모두 합한 최대 크기(바이트)."),
    "cache.max_answer": Sentence(
        "Bytes of the largest answer that is kept.", ko="보관하는 답의 최대 크기(바이트)."
    ),
    "cache.scope": Sentence(
        "Who may share an answer: a user of a key, everybody with the key, or one run of it.",
        ko="답을 함께 쓰는 범위: 키의 한 user, 같은 key, 한 run. 키끼리는 절대 나누지 않습니다.",
    ),
    "cache.only_deterministic": Sentence(
        "Whether only requests with temperature 0 count.", ko="temperature 0인 요청만 쓸지 여부."
    ),
    "cache.tainted": Sentence(
        "Whether requests with results of tools, documents or lookups count, too.",
        ko="도구 결과, 문서, 조회가 든 요청도 포함할지 여부.",
    ),
    "cache.tool_calls": Sentence(
        "Whether answers that call a tool of the client are kept, too.",
        ko="클라이언트 도구를 부르는 답도 보관할지 여부.",
    ),
    "cache.personalised": Sentence(
        "Whether requests that name a user count where the scope is wider than one.",
        ko="범위가 사용자보다 넓을 때 사용자를 밝힌 요청도 포함할지 여부.",
    ),
    "cache.wait": Sentence(
        "Seconds that an equal call waits for the first one's answer.",
        ko="같은 호출이 먼저 온 호출의 답을 기다리는 시간(초).",
    ),
    "cache.shared": Sentence(
        "Whether answers are shared over Redis where there is one.", ko="Redis가 있으면 답을 함께 쓸지 여부."
    ),
}
