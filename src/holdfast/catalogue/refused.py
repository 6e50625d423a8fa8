"""The codes of what holdfast refused before the upstream was asked."""

from holdfast.catalogue.entry import Explanation
from holdfast.language import Sentence

REFUSED = (
    Explanation(
        code="holdfast_refused",
        status=403,
        what=Sentence("holdfast refused the call.", ko="holdfast가 호출을 거절했습니다."),
        why=Sentence(
            "A rule of this gateway does not let it pass.", ko="이 게이트웨이의 규칙이 통과를 막았습니다."
        ),
        cure=Sentence(
            "Read the message of the error; `holdfast requests show ID` names the guard that decided.",
            ko="오류 메시지를 읽으세요. 어느 가드가 막았는지는 `holdfast requests show ID`로 확인합니다.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_input_rejected",
        status=400,
        what=Sentence("The text was blocked by the screen.", ko="입력 검사가 글을 차단했습니다."),
        why=Sentence(
            "It is empty, too long, or reads like an attempt to take over the model.",
            ko="비어 있거나, 너무 길거나, 모델을 조종하려는 글로 보입니다.",
        ),
        cure=Sentence(
            'Change the text. If it is harmless, look at `holdfast guard test "TEXT"` and put the rule into '
            "[screen] monitor, or raise block_at.",
            ko='글을 고치세요. 무해한 글이라면 `holdfast guard test "글"`로 원인을 보고 그 규칙을 [screen] monitor에 '
            "넣거나 block_at을 올리세요.",
        ),
        who="caller",
    ),
    Explanation(
        code="holdfast_request_malformed",
        status=400,
        what=Sentence(
            "The body is no request of the Messages API.", ko="본문이 Messages API 요청 형식이 아닙니다."
        ),
        why=Sentence(
            "It is not JSON, nested too deep, or lacks a field that every request has.",
            ko="JSON이 아니거나, 너무 깊게 중첩되었거나, 반드시 있어야 할 필드가 없습니다.",
        ),
        cure=Sentence(
            "Send what the message says is missing.", ko="메시지에 적힌 부분을 고쳐 다시 보내세요."
        ),
        who="caller",
    ),
    Explanation(
        code="thread_unsupported_request",
        status=400,
        what=Sentence("The body continues a message thread.", ko="본문이 메시지 스레드를 이어 갑니다."),
        why=Sentence(
            "A thread hides the conversation from every guard, so holdfast asks for all of it.",
            ko="스레드는 대화를 가드가 볼 수 없게 하므로 전체 대화를 요청합니다.",
        ),
        cure=Sentence(
            "Nothing: the official SDK sends the whole conversation by itself after this answer.",
            ko="할 일이 없습니다. 공식 SDK는 이 응답을 받으면 전체 대화를 알아서 다시 보냅니다.",
        ),
        who="caller",
    ),
    Explanation(
        code="holdfast_request_too_large",
        status=413,
        what=Sentence("The body is larger than the API takes.", ko="본문이 API 한도보다 큽니다."),
        why=Sentence(
            "Messages take 32 MB, batches 256 MB, files 500 MB; [gateway] max_body may allow less.",
            ko="메시지는 32MB, 배치는 256MB, 파일은 500MB까지이며 [gateway] max_body로 더 낮출 수 있습니다.",
        ),
        cure=Sentence("Send less at once, or upload it as a file.", ko="나누어 보내거나 파일로 올리세요."),
        who="caller",
    ),
    Explanation(
        code="holdfast_key_rejected",
        status=401,
        what=Sentence("The key is not one of this gateway's.", ko="이 게이트웨이의 키가 아닙니다."),
        why=Sentence(
            "No key was sent, or it is unknown, expired or revoked.",
            ko="키를 보내지 않았거나, 모르는 키이거나, 만료 또는 폐기되었습니다.",
        ),
        cure=Sentence(
            "Ask the operator for a key: `holdfast keys create NAME`. `holdfast keys list` shows which are valid.",
            ko="운영자에게 키를 요청하세요: `holdfast keys create 이름`. 유효한 키는 `holdfast keys list`로 봅니다.",
        ),
        who="caller",
    ),
    Explanation(
        code="holdfast_admin_token_rejected",
        status=401,
        what=Sentence("This opens no Admin API.", ko="이 토큰으로는 관리 API를 열 수 없습니다."),
        why=Sentence(
            "The admin token is missing or wrong, or the key lacks the scope.",
            ko="관리자 토큰이 없거나 틀렸거나, 키에 권한 범위가 없습니다.",
        ),
        cure=Sentence(
            "Set HOLDFAST_TOKEN to the token whose place `holdfast serve` names when it starts.",
            ko="`holdfast serve`가 시작할 때 알려 주는 토큰을 HOLDFAST_TOKEN에 설정하세요.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_not_allowed",
        status=403,
        what=Sentence("The key may not do this.", ko="이 키에는 허용되지 않은 일입니다."),
        why=Sentence(
            "The model, the path or the operation is outside what the key allows.",
            ko="모델, 경로 또는 작업이 키의 허용 범위를 벗어났습니다.",
        ),
        cure=Sentence(
            "Use what the key allows, or have the operator make a key with more: `holdfast keys create`.",
            ko="허용된 범위에서 쓰거나, 운영자에게 더 넓은 키를 요청하세요: `holdfast keys create`.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_origin_rejected",
        status=403,
        what=Sentence("A web page of another origin asked.", ko="다른 출처의 웹 페이지에서 온 요청입니다."),
        why=Sentence(
            "What changes something is taken from programs and from the console alone.",
            ko="변경 작업은 프로그램과 콘솔에서만 받습니다.",
        ),
        cure=Sentence(
            "Use the console, or call without a browser.", ko="콘솔을 쓰거나 브라우저 없이 호출하세요."
        ),
        who="caller",
    ),
    Explanation(
        code="holdfast_stopped",
        status=403,
        what=Sentence("An operator has stopped this.", ko="운영자가 정지했습니다."),
        why=Sentence(
            "A stop is in force for this run, key, model, or everything.",
            ko="이 실행, 키, 모델 또는 전체에 정지가 걸려 있습니다.",
        ),
        cure=Sentence(
            "Ask the operator; `holdfast stop --list` shows the stops, `holdfast resume` ends one.",
            ko="운영자에게 문의하세요. `holdfast stop --list`로 보고 `holdfast resume`으로 풉니다.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_rate_limited",
        status=429,
        retry=True,
        what=Sentence(
            "Too many requests or tokens in this window.", ko="이 구간의 요청 또는 토큰 한도를 넘었습니다."
        ),
        why=Sentence("A quota of this gateway is used up.", ko="게이트웨이의 한도를 다 썼습니다."),
        cure=Sentence(
            "Come back after `retry-after` seconds, or have the operator raise [quotas].",
            ko="`retry-after`초 뒤에 다시 보내거나 운영자에게 [quotas] 상향을 요청하세요.",
        ),
        who="caller",
    ),
    Explanation(
        code="holdfast_quota_oversized",
        status=429,
        what=Sentence("One call alone is larger than its quota.", ko="호출 하나가 한도보다 큽니다."),
        why=Sentence(
            "Waiting does not help: the window never has room for so many tokens.",
            ko="기다려도 소용없습니다. 한 구간의 토큰 한도보다 큽니다.",
        ),
        cure=Sentence(
            "Send fewer tokens, lower max_tokens, or have the quota raised.",
            ko="토큰이나 max_tokens를 줄이거나 한도를 올리도록 요청하세요.",
        ),
        who="caller",
    ),
    Explanation(
        code="holdfast_budget_exhausted",
        status=429,
        what=Sentence("The budget cannot pay for this call.", ko="예산으로 이 호출을 감당할 수 없습니다."),
        why=Sentence(
            "What is spent, plus what running calls hold, plus what this one may cost at most, is over the limit.",
            ko="쓴 금액, 진행 중인 호출의 예약, 이 호출의 최대 비용을 더하면 한도를 넘습니다.",
        ),
        cure=Sentence(
            "Wait for the window's end (`retry-after`), lower max_tokens, or raise it: `holdfast budgets set`.",
            ko="구간이 끝날 때(`retry-after`)까지 기다리거나, max_tokens를 줄이거나, `holdfast budgets set`으로 올리세요.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_run_cap_reached",
        status=429,
        what=Sentence("The run is over one of its caps.", ko="실행이 상한에 이르렀습니다."),
        why=Sentence(
            "Calls, time, agents or depth of the run have reached what [runs] allows.",
            ko="실행의 호출 수, 시간, 에이전트 수 또는 깊이가 [runs] 상한에 이르렀습니다.",
        ),
        cure=Sentence(
            "Start a new run, or raise the cap in [runs].", ko="새 실행을 시작하거나 [runs] 상한을 올리세요."
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_no_progress",
        status=429,
        what=Sentence("The run repeats itself.", ko="실행이 같은 일을 되풀이합니다."),
        why=Sentence(
            "The same tool was called with the same arguments, or the same error came back, too often.",
            ko="같은 인자로 같은 도구를 부르거나 같은 오류가 너무 자주 반복되었습니다.",
        ),
        cure=Sentence(
            "Look at `holdfast runs show RUN`; change the prompt or the tool, or raise [runs.progress] stop_at.",
            ko="`holdfast runs show 실행`을 보고 프롬프트나 도구를 고치거나 [runs.progress] stop_at을 올리세요.",
        ),
        who="caller",
    ),
    Explanation(
        code="holdfast_circuit_open",
        status=503,
        retry=True,
        what=Sentence("The circuit breaker is open.", ko="서킷 브레이커가 열려 있습니다."),
        why=Sentence(
            "The upstream failed so often that holdfast gives it time to recover.",
            ko="업스트림 실패가 잦아 회복할 시간을 주고 있습니다.",
        ),
        cure=Sentence(
            "Come back after `retry-after` seconds; name other models in [failover] to be answered meanwhile.",
            ko="`retry-after`초 뒤에 다시 보내세요. [failover]에 다른 모델을 적어 두면 그동안에도 응답합니다.",
        ),
        who="anthropic",
    ),
    Explanation(
        code="holdfast_draining",
        status=503,
        retry=True,
        what=Sentence("This gateway is shutting down.", ko="게이트웨이가 종료하는 중입니다."),
        why=Sentence(
            "It was told to stop and takes no new calls.", ko="종료 지시를 받아 새 호출을 받지 않습니다."
        ),
        cure=Sentence("Send it again in a moment.", ko="잠시 뒤 다시 보내세요."),
        who="operator",
    ),
    Explanation(
        code="holdfast_address_refused",
        status=403,
        what=Sentence("An address must not be fetched.", ko="가져올 수 없는 주소입니다."),
        why=Sentence(
            "It leads into a private network or to this machine, which a text from outside must not reach.",
            ko="사설망이나 이 컴퓨터로 이어지는 주소라 외부에서 온 글이 접근해서는 안 됩니다.",
        ),
        cure=Sentence("Use a public https address.", ko="공개된 https 주소를 쓰세요."),
        who="caller",
    ),
    Explanation(
        code="holdfast_tool_rejected",
        what=Sentence("A tool was not run.", ko="도구를 실행하지 않았습니다."),
        why=Sentence(
            "Its policy denies it, a person did not approve it, or its input does not fit its schema.",
            ko="정책이 막았거나, 승인받지 못했거나, 입력이 스키마와 맞지 않습니다.",
        ),
        cure=Sentence(
            "Approve it, or change the policy of the tool or [tools].",
            ko="승인하거나 도구의 정책 또는 [tools]를 바꾸세요.",
        ),
        who="operator",
    ),
)
