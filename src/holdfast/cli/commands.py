"""The commands of `holdfast`: where each is found, and its line in the help."""

from collections.abc import Mapping

from holdfast.language import Sentence

COMMANDS: Mapping[str, tuple[str, Sentence]] = {
    "batch": (
        "holdfast.cli.batch:batch",
        Sentence(
            "Send a file of requests, and go on where it was left, whatever ended it.",
            ko="파일에 적힌 요청을 한꺼번에 보내고, 중단되면 그 자리에서 이어 갑니다.",
        ),
    ),
    "bench": (
        "holdfast.cli.bench:bench",
        Sentence(
            "Measure what holdfast adds to a call, here and now.",
            ko="holdfast가 호출에 더하는 비용을 바로 측정합니다.",
        ),
    ),
    "alerts": (
        "holdfast.cli.alerts:group",
        Sentence(
            "See what is going on, who is told of it, and silence it.",
            ko="진행 중인 사건과 알림 설정을 보고, 알림을 잠시 끕니다.",
        ),
    ),
    "budgets": (
        "holdfast.cli.budgets:group",
        Sentence(
            "Set what may be spent, and see how it stands.", ko="예산을 설정하고 사용 현황을 확인합니다."
        ),
    ),
    "chat": (
        "holdfast.cli.chat:chat",
        Sentence(
            "Ask one question through the guarded pipeline.", ko="보호된 파이프라인으로 질문 하나를 합니다."
        ),
    ),
    "check": (
        "holdfast.cli.check:check",
        Sentence("Check a configuration, asking nobody.", ko="설정을 오프라인으로 점검합니다."),
    ),
    "completion": (
        "holdfast.cli.completion:completion",
        Sentence("Complete commands in your shell.", ko="셸에서 명령을 자동 완성합니다."),
    ),
    "config": (
        "holdfast.cli.config:group",
        Sentence("Show what is set and by whom, and what it means.", ko="설정 값과 출처, 뜻을 보여 줍니다."),
    ),
    "demo": (
        "holdfast.cli.demo:demo",
        Sentence(
            "Show in a minute what holdfast does, without a key.",
            ko="키 없이 1분 만에 holdfast가 하는 일을 보여 줍니다.",
        ),
    ),
    "doctor": (
        "holdfast.cli.doctor:doctor",
        Sentence(
            "Look what works here, and how to mend what does not.",
            ko="실제 환경을 점검하고 고치는 방법을 알려 줍니다.",
        ),
    ),
    "drill": (
        "holdfast.cli.drill:drill",
        Sentence(
            "Play incidents against your settings, and see which promises hold.",
            ko="내 설정으로 장애를 연습하고, 무엇이 지켜지는지 확인합니다.",
        ),
    ),
    "console": (
        "holdfast.cli.console:console",
        Sentence("Print a link that opens the console, once.", ko="콘솔을 여는 일회용 링크를 출력합니다."),
    ),
    "guard": (
        "holdfast.cli.guard:guard",
        Sentence(
            "See what the screen makes of texts; train and calibrate its detector.",
            ko="검사가 글을 어떻게 판단하는지 보고, 탐지기를 학습하고 보정합니다.",
        ),
    ),
    "memory": (
        "holdfast.cli.memory:group",
        Sentence(
            "See, hand out and delete what agents remember of a user.",
            ko="에이전트가 사용자에 대해 기억하는 내용을 보고, 내보내고, 지웁니다.",
        ),
    ),
    "prices": (
        "holdfast.cli.prices:prices",
        Sentence(
            "Show prices, check them, and explain what a message costs.",
            ko="요금을 보여 주고 점검하며, 메시지 하나의 비용을 설명합니다.",
        ),
    ),
    "keys": (
        "holdfast.cli.keys:group",
        Sentence(
            "Make, list, rotate and revoke the keys of callers.",
            ko="호출자의 키를 만들고, 조회하고, 교체하고, 폐기합니다.",
        ),
    ),
    "mcp": (
        "holdfast.cli.mcp:mcp",
        Sentence(
            "Let an assistant ask for status, spending and requests, over MCP.",
            ko="MCP로 상태, 지출, 요청 내역을 조회하게 합니다.",
        ),
    ),
    "redact": (
        "holdfast.cli.redact:redact",
        Sentence(
            "Take secrets and personal data out of texts.", ko="텍스트에서 비밀 정보와 개인정보를 지웁니다."
        ),
    ),
    "requests": (
        "holdfast.cli.requests:group",
        Sentence(
            "Show the calls that are over: a list, one of them, or all as a file.",
            ko="끝난 호출을 목록, 상세, 파일로 보여 줍니다.",
        ),
    ),
    "resume": (
        "holdfast.cli.stop:resume",
        Sentence("End a stop, so that its calls are served again.", ko="정지를 풀어 호출을 다시 처리합니다."),
    ),
    "review": (
        "holdfast.cli.review:review",
        Sentence(
            "Let several reviewers read code, and tell what they find.",
            ko="여러 리뷰어에게 코드를 맡기고 지적 사항을 보여 줍니다.",
        ),
    ),
    "rule": (
        "holdfast.cli.rule:rule",
        Sentence("Explain the code of an error.", ko="오류 코드를 설명합니다."),
    ),
    "run": (
        "holdfast.cli.run:run",
        Sentence(
            "Run a program with its calls to Claude behind holdfast.",
            ko="Claude 호출이 holdfast를 거치도록 프로그램을 실행합니다.",
        ),
    ),
    "runs": (
        "holdfast.cli.runs:group",
        Sentence("Show the runs that calls belong to.", ko="호출이 속한 실행과 그 비용을 보여 줍니다."),
    ),
    "serve": (
        "holdfast.cli.serve:serve",
        Sentence(
            "Run the gateway that any Anthropic client can point at.",
            ko="어떤 Anthropic 클라이언트든 연결할 수 있는 게이트웨이를 실행합니다.",
        ),
    ),
    "spend": (
        "holdfast.cli.spend:group",
        Sentence(
            "Show what was spent and what it will come to.", ko="지출과 앞으로의 예상 금액을 보여 줍니다."
        ),
    ),
    "status": (
        "holdfast.cli.status:status",
        Sentence(
            "Say whether a running gateway is all right, and who is to blame if not.",
            ko="실행 중인 게이트웨이의 상태와 문제의 원인을 한 줄로 알려 줍니다.",
        ),
    ),
    "stop": (
        "holdfast.cli.stop:stop",
        Sentence(
            "End calls at once, and refuse new ones.", ko="진행 중인 호출을 바로 끊고 새 호출을 거절합니다."
        ),
    ),
    "tail": (
        "holdfast.cli.tail:tail",
        Sentence("Follow calls as they end.", ko="호출이 끝나는 대로 실시간으로 보여 줍니다."),
    ),
    "top": (
        "holdfast.cli.top:top",
        Sentence(
            "Watch a running gateway on one screen.", ko="실행 중인 게이트웨이를 한 화면에서 지켜봅니다."
        ),
    ),
    "simulate": (
        "holdfast.cli.simulate:simulate",
        Sentence(
            "Run a Messages API that needs no key and misbehaves on request.",
            ko="키가 필요 없고, 시키면 장애도 내는 Messages API를 실행합니다.",
        ),
    ),
}
