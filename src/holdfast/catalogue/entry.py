"""One code of an error, explained."""

from dataclasses import dataclass
from typing import Literal

from holdfast.language import Sentence

Mender = Literal["caller", "operator", "anthropic", "holdfast"]
"""Who can mend it: whoever sent the request, whoever runs holdfast, the API, or we who write it."""
MENDERS: dict[Mender, Sentence] = {
    "caller": Sentence("whoever sent the request", ko="요청을 보낸 쪽"),
    "operator": Sentence("whoever runs holdfast", ko="holdfast 운영자"),
    "anthropic": Sentence(
        "Anthropic, or the network on the way there", ko="Anthropic 또는 그 사이의 네트워크"
    ),
    "holdfast": Sentence("the makers of holdfast", ko="holdfast 개발팀"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What happened, why we think so, what to do, and who can.

    Attributes:
        code: as it stands in `error.details.error_code`, or in brackets in what `holdfast check` prints.
        status: the HTTP status it comes with; 0 where it never leaves by HTTP.
        retry: whether sending the same request again can help.
    """

    code: str
    what: Sentence
    why: Sentence
    cure: Sentence
    who: Mender
    status: int = 0
    retry: bool = False
