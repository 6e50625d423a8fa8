"""The codes of the console, of crowded servers, and of programs that `holdfast run` starts."""

from holdfast.catalogue.entry import Explanation
from holdfast.language import Sentence

VISITED = (
    Explanation(
        code="holdfast_form_rejected",
        status=403,
        what=Sentence(
            "A form was sent that no page of this login has made.",
            ko="이 로그인의 페이지가 만들지 않은 양식입니다.",
        ),
        why=Sentence(
            "The login has changed since the page was loaded, or another site has sent it.",
            ko="페이지를 연 뒤 로그인이 바뀌었거나 다른 사이트가 보냈습니다.",
        ),
        cure=Sentence("Load the page anew and try again.", ko="페이지를 새로 고친 뒤 다시 시도하세요."),
        who="caller",
    ),
    Explanation(
        code="holdfast_logged_out",
        status=401,
        what=Sentence("Nobody is logged in here.", ko="로그인되어 있지 않습니다."),
        why=Sentence(
            "The login is over: an hour without a click, twelve hours in all, or a log-out.",
            ko="한 시간 동안 조작이 없었거나, 열두 시간이 지났거나, 로그아웃했습니다.",
        ),
        cure=Sentence("Get a new login: `holdfast console`.", ko="다시 로그인하세요: `holdfast console`."),
        who="operator",
    ),
    Explanation(
        code="holdfast_viewer_may_not",
        status=403,
        what=Sentence("A viewer wanted to change something.", ko="보기 권한으로는 변경할 수 없습니다."),
        why=Sentence(
            "This login may only look: it was made with `holdfast console --viewer` or by a key that may only read.",
            ko="`holdfast console --viewer`나 읽기 전용 키로 만든 로그인입니다.",
        ),
        cure=Sentence(
            "Log in as an operator: `holdfast console`.", ko="운영자로 로그인하세요: `holdfast console`."
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_not_confirmed",
        status=400,
        what=Sentence(
            "Everything was to be stopped and was not confirmed.", ko="전체 정지를 확인하지 않았습니다."
        ),
        why=Sentence(
            "The word STOP has to be typed for that.", ko="전체를 정지하려면 STOP을 입력해야 합니다."
        ),
        cure=Sentence("Type STOP, or choose less.", ko="STOP을 입력하거나 범위를 좁히세요."),
        who="operator",
    ),
    Explanation(
        code="holdfast_host_rejected",
        status=421,
        what=Sentence(
            "The console was called by a name that is not its own.",
            ko="콘솔의 이름이 아닌 주소로 접속했습니다.",
        ),
        why=Sentence(
            "Somebody else's name may have been pointed at this machine to get at the console.",
            ko="다른 이름을 이 컴퓨터로 돌려 콘솔에 접근하려는 공격일 수 있습니다.",
        ),
        cure=Sentence(
            "Use the address that `serve` prints, or put the name into [console] hosts.",
            ko="`serve`가 알려 준 주소를 쓰거나 그 이름을 [console] hosts에 넣으세요.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_connections_exhausted",
        status=503,
        retry=True,
        what=Sentence("Every connection of this worker is taken.", ko="이 워커의 연결이 모두 사용 중입니다."),
        why=Sentence(
            "More clients are connected than [gateway] max_connections allows.",
            ko="연결한 클라이언트가 [gateway] max_connections보다 많습니다.",
        ),
        cure=Sentence(
            "Come back in a second; more workers or a higher limit help in the long run.",
            ko="잠시 뒤 다시 시도하세요. 워커를 늘리거나 한도를 올리면 해결됩니다.",
        ),
        who="operator",
    ),
    Explanation(
        code="holdfast_program_not_started",
        what=Sentence(
            "`holdfast run` could not start the program.",
            ko="`holdfast run`이 프로그램을 시작하지 못했습니다.",
        ),
        why=Sentence(
            "It is not there, or may not be executed.", ko="프로그램이 없거나 실행 권한이 없습니다."
        ),
        cure=Sentence("Check its name and the PATH.", ko="이름과 PATH를 확인하세요."),
        who="caller",
    ),
)
