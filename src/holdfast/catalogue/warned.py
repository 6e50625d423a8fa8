"""The codes of what `holdfast check` advises against, and of the file it reads."""

from holdfast.catalogue.entry import Explanation
from holdfast.language import Sentence

WARNED = (
    Explanation(
        code="HF201",
        what=Sentence("A live upstream has no budget.", ko="실제 업스트림에 예산이 없습니다."),
        why=Sentence(
            "`serve` then applies a starter budget of 10 dollars a day; the library applies none.",
            ko="`serve`는 하루 10달러의 시작 예산을 적용하지만 라이브러리에는 예산이 없습니다.",
        ),
        cure=Sentence(
            'Add [budgets.NAME] with `usd = 50` and `per = "day"`.',
            ko='[budgets.이름]에 `usd = 50`, `per = "day"`를 추가하세요.',
        ),
        who="operator",
    ),
    Explanation(
        code="HF202",
        what=Sentence("No budget refuses anything.", ko="거절하는 예산이 없습니다."),
        why=Sentence(
            "Every budget is soft (`hard = false`): they count and alert.",
            ko="모든 예산이 `hard = false`라 세고 알리기만 합니다.",
        ),
        cure=Sentence("Leave `hard` out of one of them.", ko="그중 하나에서 `hard`를 빼세요."),
        who="operator",
    ),
    Explanation(
        code="HF203",
        what=Sentence("A model needs attention.", ko="모델을 확인해야 합니다."),
        why=Sentence(
            "It retires soon, is retired, or has no known price.",
            ko="곧 종료되거나, 종료되었거나, 요금을 알 수 없습니다.",
        ),
        cure=Sentence(
            "Take the model that is named; `holdfast prices check` tells more.",
            ko="알려 드린 모델로 바꾸세요. 자세한 내용은 `holdfast prices check`.",
        ),
        who="operator",
    ),
    Explanation(
        code="HF204",
        what=Sentence("A time-out can never be reached.", ko="도달할 수 없는 제한 시간이 있습니다."),
        why=Sentence(
            "The deadline of the whole call ends before it.", ko="호출 전체의 제한 시간이 먼저 끝납니다."
        ),
        cure=Sentence(
            "Make it shorter than timeouts.deadline, or the deadline longer.",
            ko="timeouts.deadline보다 짧게 하거나 제한 시간을 늘리세요.",
        ),
        who="operator",
    ),
    Explanation(
        code="HF205",
        what=Sentence("A model fails over to itself.", ko="모델이 자기 자신으로 대체됩니다."),
        why=Sentence(
            "It would be asked a second time for nothing.", ko="같은 모델을 헛되이 다시 부르게 됩니다."
        ),
        cure=Sentence("Name other models.", ko="다른 모델을 적으세요."),
        who="operator",
    ),
    Explanation(
        code="HF206",
        what=Sentence("A secret stands in the file.", ko="파일에 비밀 값이 있습니다."),
        why=Sentence(
            "Files are copied, committed and backed up; variables and secret files are not.",
            ko="파일은 복사, 커밋, 백업되기 쉽습니다.",
        ),
        cure=Sentence(
            "Move it into an environment variable: HOLDFAST_DATABASE_URL, redis_url_env, url_env.",
            ko="환경 변수로 옮기세요: HOLDFAST_DATABASE_URL, redis_url_env, url_env.",
        ),
        who="operator",
    ),
    Explanation(
        code="HF207",
        what=Sentence("Keys travel in clear.", ko="키가 암호화 없이 전송됩니다."),
        why=Sentence(
            "The upstream is asked over http on another machine, or callers reach this gateway without TLS.",
            ko="다른 컴퓨터의 업스트림을 http로 부르거나, 호출자가 TLS 없이 접속합니다.",
        ),
        cure=Sentence(
            "Use https, [gateway] tls_cert, or a proxy that ends TLS in front.",
            ko="https나 [gateway] tls_cert를 쓰거나 TLS를 처리하는 프록시를 앞에 두세요.",
        ),
        who="operator",
    ),
    Explanation(
        code="HF208",
        what=Sentence("The screen blocks nothing.", ko="입력 검사가 아무것도 차단하지 않습니다."),
        why=Sentence("It is switched off or only watches.", ko="꺼져 있거나 지켜보기만 합니다."),
        cure=Sentence(
            'Set [screen] enabled = true and mode = "enforce" once its counts look right.',
            ko='기록된 수를 확인한 뒤 [screen] enabled = true, mode = "enforce"로 하세요.',
        ),
        who="operator",
    ),
    Explanation(
        code="HF209",
        what=Sentence("Workers share no limits.", ko="워커들이 한도를 나누지 못합니다."),
        why=Sentence(
            "There is more than one and no Redis: each grants a fixed part of every limit.",
            ko="워커가 여럿인데 Redis가 없어 각 워커가 한도의 일정 몫만 씁니다.",
        ),
        cure=Sentence("Set [fleet] redis_url_env.", ko="[fleet] redis_url_env를 설정하세요."),
        who="operator",
    ),
    Explanation(
        code="HF210",
        what=Sentence("A variable with a key is not set here.", ko="키가 든 환경 변수가 여기에 없습니다."),
        why=Sentence(
            "An upstream or a channel names it; this shell has neither it nor its _FILE form.",
            ko="업스트림이나 채널이 그 변수를 쓰지만 이 셸에는 변수도 _FILE 형식도 없습니다.",
        ),
        cure=Sentence("Set it where the gateway runs.", ko="게이트웨이가 실행되는 곳에 설정하세요."),
        who="operator",
    ),
    Explanation(
        code="HF211",
        what=Sentence(
            "Nobody is told when something is wrong.", ko="문제가 생겨도 알림을 받을 곳이 없습니다."
        ),
        why=Sentence("A live upstream has no alert channel.", ko="실제 업스트림에 알림 채널이 없습니다."),
        cure=Sentence(
            "Add [alerts.channels.NAME]: a webhook, Slack, or email.",
            ko="[alerts.channels.이름]을 추가하세요: 웹훅, Slack, 이메일.",
        ),
        who="operator",
    ),
    Explanation(
        code="HF212",
        what=Sentence(
            "Others on this machine can read the file.",
            ko="이 컴퓨터의 다른 사용자가 파일을 읽을 수 있습니다.",
        ),
        why=Sentence(
            "It holds a secret and its permissions let everybody read.",
            ko="비밀 값이 든 파일의 권한이 모두에게 열려 있습니다.",
        ),
        cure=Sentence("Run `chmod 600` on it.", ko="`chmod 600`으로 바꾸세요."),
        who="operator",
    ),
    Explanation(
        code="HF213",
        what=Sentence("The price book is old.", ko="요금표가 오래되었습니다."),
        why=Sentence("Prices change a few times a year.", ko="요금은 한 해에 몇 번 바뀝니다."),
        cure=Sentence("Take a newer holdfast.", ko="새 버전의 holdfast를 쓰세요."),
        who="operator",
    ),
)
