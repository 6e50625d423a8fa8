"""The codes of what was asked for wrongly: paths, lines, filters, and lines of a configuration."""

from holdfast.catalogue.entry import Explanation
from holdfast.language import Sentence

ASKED = (
    Explanation(
        code="holdfast_path_unknown",
        status=404,
        what=Sentence("There is nothing at this path.", ko="이 경로에는 아무것도 없습니다."),
        why=Sentence(
            "It is no endpoint of the Messages API that holdfast serves.",
            ko="holdfast가 제공하는 Messages API 경로가 아닙니다.",
        ),
        cure=Sentence(
            "Check the base URL: most clients want it without /v1.",
            ko="기본 URL을 확인하세요. 대부분의 클라이언트는 /v1 없이 적습니다.",
        ),
        who="caller",
    ),
    Explanation(
        code="holdfast_not_found",
        status=404,
        what=Sentence("There is no such thing.", ko="찾는 것이 없습니다."),
        why=Sentence("Its id is wrong, or it was forgotten.", ko="ID가 틀렸거나 보관 기간이 지났습니다."),
        cure=Sentence("List what there is first.", ko="먼저 목록을 확인하세요."),
        who="caller",
    ),
    Explanation(
        code="holdfast_method_not_allowed",
        status=405,
        what=Sentence("The path takes another method.", ko="이 경로는 다른 메서드를 받습니다."),
        why=Sentence("The header `allow` names those.", ko="`allow` 헤더에 적혀 있습니다."),
        cure=Sentence("Use one of them.", ko="그중 하나를 쓰세요."),
        who="caller",
    ),
    Explanation(
        code="holdfast_body_incomplete",
        status=400,
        what=Sentence("The body ended early.", ko="본문이 도중에 끝났습니다."),
        why=Sentence("Fewer bytes came than were announced.", ko="예고한 것보다 적은 바이트가 왔습니다."),
        cure=Sentence("Send it again, whole.", ko="전체를 다시 보내세요."),
        who="caller",
    ),
    Explanation(
        code="holdfast_headers_incomplete",
        status=408,
        what=Sentence(
            "The request did not come to its end in time.", ko="요청이 제때 모두 도착하지 않았습니다."
        ),
        why=Sentence(
            "Who sends a letter at a time would keep a place from others.",
            ko="아주 느리게 보내는 연결은 다른 호출자의 자리를 차지합니다.",
        ),
        cure=Sentence("Send it at once.", ko="한 번에 보내세요."),
        who="caller",
    ),
    Explanation(
        code="holdfast_headers_too_large",
        status=431,
        what=Sentence("The headers are too large.", ko="헤더가 너무 큽니다."),
        why=Sentence("No client of the API needs so many.", ko="API 클라이언트가 그만큼 보낼 일은 없습니다."),
        cure=Sentence("Send fewer.", ko="헤더를 줄이세요."),
        who="caller",
    ),
    Explanation(
        code="holdfast_filter_unreadable",
        status=400,
        what=Sentence("The filter cannot be read.", ko="필터를 읽을 수 없습니다."),
        why=Sentence("A field or an operator in it is unknown.", ko="모르는 필드나 연산자가 있습니다."),
        cure=Sentence(
            "Write it like `outcome:fallback model:sonnet cost>0.05`.",
            ko="`outcome:fallback model:sonnet cost>0.05`처럼 쓰세요.",
        ),
        who="caller",
    ),
    Explanation(
        code="holdfast_line_unreadable",
        what=Sentence("A line of the input cannot be read.", ko="입력 줄을 읽을 수 없습니다."),
        why=Sentence(
            "It is no JSON object with the fields named.", ko="정해진 필드를 가진 JSON 객체가 아닙니다."
        ),
        cure=Sentence("Mend the line whose number is told.", ko="표시된 번호의 줄을 고치세요."),
        who="caller",
    ),
    Explanation(
        code="holdfast_gateway_refused",
        what=Sentence("The gateway that was asked has refused.", ko="게이트웨이가 거절했습니다."),
        why=Sentence("Its own words are passed on.", ko="게이트웨이의 설명을 그대로 전합니다."),
        cure=Sentence("Do what they say.", ko="그 설명을 따르세요."),
        who="caller",
    ),
    Explanation(
        code="HF110",
        what=Sentence("The file is not TOML.", ko="파일이 TOML 형식이 아닙니다."),
        why=Sentence("The parser stopped at the place named.", ko="표시된 곳에서 읽기를 멈췄습니다."),
        cure=Sentence(
            "Mend that line: quotes, brackets, a missing `=`.", ko="그 줄의 따옴표, 괄호, `=`를 고치세요."
        ),
        who="operator",
    ),
    Explanation(
        code="HF111",
        what=Sentence("A setting is missing.", ko="설정이 빠져 있습니다."),
        why=Sentence("The section cannot work without it.", ko="그 섹션에 반드시 필요합니다."),
        cure=Sentence("Add the line that is shown.", ko="표시된 줄을 추가하세요."),
        who="operator",
    ),
    Explanation(
        code="HF112",
        what=Sentence("A key is unknown.", ko="알 수 없는 키입니다."),
        why=Sentence(
            "It is misspelt or stands in another section; nothing unknown is ignored.",
            ko="오타이거나 다른 섹션의 키입니다. 모르는 키는 무시하지 않습니다.",
        ),
        cure=Sentence(
            "Take the name that is suggested, or see `holdfast config explain`.",
            ko="제안된 이름을 쓰거나 `holdfast config explain`을 보세요.",
        ),
        who="operator",
    ),
    Explanation(
        code="HF113",
        what=Sentence("A value is of the wrong kind.", ko="값의 종류가 다릅니다."),
        why=Sentence(
            "A number is wanted and text is given, or the like.", ko="숫자 자리에 글자가 있는 식입니다."
        ),
        cure=Sentence("Write it as the message says.", ko="메시지대로 쓰세요."),
        who="operator",
    ),
    Explanation(
        code="HF114",
        what=Sentence("A value is out of its range.", ko="값이 범위를 벗어났습니다."),
        why=Sentence(
            "It makes no sense there, or beside another value.", ko="그 자리나 다른 값과 맞지 않습니다."
        ),
        cure=Sentence("Take one within the range named.", ko="표시된 범위의 값을 쓰세요."),
        who="operator",
    ),
)
