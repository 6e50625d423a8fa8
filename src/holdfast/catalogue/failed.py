"""The codes of what went wrong: at the upstream, at the store, on the way, or in holdfast itself."""

from holdfast.catalogue.entry import Explanation
from holdfast.language import Sentence

FAILED = (
    Explanation(
        code="holdfast_internal_error",
        status=500,
        what=Sentence("A fault in holdfast.", ko="holdfast 내부 오류입니다."),
        why=Sentence("A request met a case that was not thought of.", ko="예상하지 못한 경우를 만났습니다."),
        cure=Sentence(
            "Send it again; if it stays, report it with the request id and the log line that carries it.",
            ko="다시 보내 보고, 계속되면 요청 ID와 그 로그 줄을 함께 신고하세요.",
        ),
        who="holdfast",
    ),
    Explanation(
        code="holdfast_upstream_failed",
        status=502,
        what=Sentence("The upstream answered with an error.", ko="업스트림이 오류로 응답했습니다."),
        why=Sentence("Its own words are in the message.", ko="업스트림의 설명이 메시지에 있습니다."),
        cure=Sentence(
            "`holdfast status` says whether it is Claude, the network, the account or us.",
            ko="`holdfast status`가 Claude, 네트워크, 계정, holdfast 중 어디 문제인지 알려 줍니다.",
        ),
        who="anthropic",
    ),
    Explanation(
        code="holdfast_upstream_unavailable",
        status=502,
        retry=True,
        what=Sentence("The upstream cannot be reached.", ko="업스트림에 연결할 수 없습니다."),
        why=Sentence(
            "The name does not resolve, the connection is refused or reset, or every attempt failed.",
            ko="이름을 찾지 못했거나, 연결이 거부 또는 끊겼거나, 모든 시도가 실패했습니다.",
        ),
        cure=Sentence(
            "Check the address and the way out with `holdfast doctor`.",
            ko="`holdfast doctor`로 주소와 외부 연결을 확인하세요.",
        ),
        who="anthropic",
    ),
    Explanation(
        code="holdfast_deadline_exceeded",
        status=504,
        what=Sentence("The call took longer than its deadline.", ko="호출이 제한 시간을 넘었습니다."),
        why=Sentence(
            "All attempts and waits together may take [timeouts] deadline seconds.",
            ko="모든 시도와 대기를 합해 [timeouts] deadline초까지입니다.",
        ),
        cure=Sentence(
            "Ask for less, stream the answer, or raise the deadline.",
            ko="요청을 줄이거나, 스트리밍을 쓰거나, 제한 시간을 늘리세요.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_stream_interrupted",
        status=502,
        what=Sentence("A stream broke off before its end.", ko="스트림이 끝나기 전에 끊겼습니다."),
        why=Sentence(
            "The upstream closed, fell silent, or sent what is no event; what had come is not the whole answer.",
            ko="업스트림이 연결을 닫았거나 조용해졌거나 이벤트가 아닌 것을 보냈습니다. 받은 내용은 전체 답이 아닙니다.",
        ),
        cure=Sentence(
            "Ask again; what had been sent was paid for and is in the ledger.",
            ko="다시 요청하세요. 이미 받은 부분의 비용은 장부에 있습니다.",
        ),
        who="anthropic",
    ),
    Explanation(
        code="holdfast_output_mismatch",
        status=502,
        what=Sentence("The answer is not of the type asked for.", ko="답이 요청한 형식이 아닙니다."),
        why=Sentence(
            "The model's answer does not fit `output_type`.", ko="모델의 답이 `output_type`에 맞지 않습니다."
        ),
        cure=Sentence(
            "Ask again, raise max_tokens, or describe the fields in the type.",
            ko="다시 요청하거나 max_tokens를 올리거나 형식의 필드를 설명해 두세요.",
        ),
        who="caller",
    ),
    Explanation(
        code="holdfast_output_blocked",
        status=502,
        what=Sentence("The answer was stopped on its way out.", ko="답이 나가는 길에 차단되었습니다."),
        why=Sentence(
            "It carries a secret, the system prompt, or a link that would carry data away.",
            ko="비밀 값, 시스템 프롬프트, 또는 데이터를 빼내는 링크가 들어 있습니다.",
        ),
        cure=Sentence(
            "`holdfast requests show ID` names the rule; [output] says what each rule does.",
            ko="어느 규칙인지는 `holdfast requests show ID`로 보고, 동작은 [output]에서 정합니다.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_model_unknown",
        status=400,
        what=Sentence("Nobody knows what this model costs.", ko="이 모델의 요금을 알 수 없습니다."),
        why=Sentence(
            "It is not in the price book, and a call without a price cannot be held to a budget.",
            ko="요금표에 없는 모델은 예산으로 지킬 수 없습니다.",
        ),
        cure=Sentence(
            "Check the name, add [pricing.overrides], or set pricing.unknown_model to dearest.",
            ko="이름을 확인하거나 [pricing.overrides]를 추가하거나 pricing.unknown_model을 dearest로 하세요.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_store_unavailable",
        status=503,
        retry=True,
        what=Sentence("The database does not answer.", ko="데이터베이스가 응답하지 않습니다."),
        why=Sentence(
            "It is down, locked, full, or not to be reached from here.",
            ko="중단되었거나, 잠겼거나, 가득 찼거나, 연결할 수 없습니다.",
        ),
        cure=Sentence("Check it with `holdfast doctor`.", ko="`holdfast doctor`로 확인하세요."),
        who="operator",
    ),
    Explanation(
        code="holdfast_budget_unavailable",
        status=503,
        retry=True,
        what=Sentence("No budget can be asked right now.", ko="지금은 예산을 확인할 수 없습니다."),
        why=Sentence(
            "The store is away, and a hard budget lets nothing pass that it cannot count.",
            ko="저장소에 연결할 수 없고, 엄격한 예산은 셀 수 없는 호출을 통과시키지 않습니다.",
        ),
        cure=Sentence(
            "Bring the store back; soft budgets (`hard = false`) go on within [store] emergency_usd.",
            ko="저장소를 복구하세요. 유연한 예산(`hard = false`)은 [store] emergency_usd 안에서 계속됩니다.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_config_invalid",
        what=Sentence("The configuration is wrong.", ko="설정이 잘못되었습니다."),
        why=Sentence("A value cannot mean what it says.", ko="뜻이 통하지 않는 값이 있습니다."),
        cure=Sentence("`holdfast check` names every line.", ko="`holdfast check`가 줄마다 알려 줍니다."),
        who="operator",
    ),
    Explanation(
        code="holdfast_key_missing",
        what=Sentence("There is no key for the upstream.", ko="업스트림용 키가 없습니다."),
        why=Sentence(
            "Neither ANTHROPIC_API_KEY nor the variable that [upstreams.NAME] key_env names is set.",
            ko="ANTHROPIC_API_KEY도, [upstreams.이름] key_env가 가리키는 변수도 없습니다.",
        ),
        cure=Sentence(
            "Set it, or begin without one: HOLDFAST_UPSTREAM=simulator.",
            ko="키를 설정하거나 키 없이 시작하세요: HOLDFAST_UPSTREAM=simulator.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_member_failed",
        what=Sentence("A member of a team failed.", ko="팀의 한 단계가 실패했습니다."),
        why=Sentence("Its own error is beside it in the result.", ko="원인 오류가 결과에 함께 있습니다."),
        cure=Sentence("Read the error it carries.", ko="그 오류를 확인하세요."),
        who="caller",
    ),
    Explanation(
        code="holdfast_mcp_unavailable",
        what=Sentence("An MCP server does not answer.", ko="MCP 서버가 응답하지 않습니다."),
        why=Sentence(
            "It was not to be started or reached, or it broke off.",
            ko="시작 또는 연결할 수 없거나 끊겼습니다.",
        ),
        cure=Sentence(
            "Run its command by hand, or check its address.",
            ko="명령을 직접 실행해 보거나 주소를 확인하세요.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_fetch_failed",
        what=Sentence("Something could not be fetched.", ko="내용을 가져오지 못했습니다."),
        why=Sentence("The address does not answer as it should.", ko="주소가 제대로 응답하지 않습니다."),
        cure=Sentence("Check the address.", ko="주소를 확인하세요."),
        who="caller",
    ),
    Explanation(
        code="holdfast_alert_undelivered",
        what=Sentence("An alert did not arrive.", ko="알림을 전달하지 못했습니다."),
        why=Sentence("Its channel refused it or does not answer.", ko="채널이 거절했거나 응답하지 않습니다."),
        cure=Sentence(
            "Try the channel: `holdfast alerts test NAME`.",
            ko="채널을 시험하세요: `holdfast alerts test 이름`.",
        ),
        who="operator",
    ),
)
