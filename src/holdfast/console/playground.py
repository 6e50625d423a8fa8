"""Try it: one call through all guards in the console's own name, with a fault where upstreams are simulated."""

from collections.abc import Mapping

import msgspec

from holdfast.admin.refusals import unreadable
from holdfast.assembly import Runtime
from holdfast.call import Call, Incoming, Principal
from holdfast.console.clients import clients
from holdfast.console.page import Facts, Page, Visit
from holdfast.errors import ConfigError, HoldfastError
from holdfast.language import Sentence
from holdfast.policy.money import plain
from holdfast.policy.routing import SIMULATOR
from holdfast.upstream.client import UpstreamRequest, read_whole
from holdfast.wire.headers import Headers

NAME = "console"
"""The key in whose name these calls are recorded and paid."""
LONGEST_PROMPT = 20_000
LONGEST_MODEL = 100
MOST_TOKENS = 1_024
LARGEST = 4 * 1024 * 1024
FAULTS: Mapping[str, list[dict[str, object]]] = {
    "none": [],
    "overloaded": [{"type": "status", "status": 529}],
    "outage": [{"type": "status", "status": 529}],
    "slow": [{"type": "delay", "seconds": 3.0}],
    "cut": [{"type": "half_body"}],
}


class _Block(msgspec.Struct):
    """A block of an answer, as far as it is shown."""

    type: str = ""
    text: str = ""


class _Error(msgspec.Struct):
    """What an error says."""

    type: str = ""
    message: str = ""


class _Told(msgspec.Struct):
    """An answer or an error."""

    content: list[_Block] = msgspec.field(default_factory=list[_Block])
    error: _Error | None = None


WORDS: Mapping[str, Sentence] = {
    "ask": Sentence("Ask", ko="질문하기"),
    "prompt": Sentence("Prompt", ko="프롬프트"),
    "model": Sentence("Model", ko="모델"),
    "fault": Sentence("Simulate", ko="시뮬레이션할 장애"),
    "fault_none": Sentence("nothing", ko="없음"),
    "fault_overloaded": Sentence("one 529, then well", ko="529 한 번 뒤 정상"),
    "fault_outage": Sentence("an outage", ko="장애 지속"),
    "fault_slow": Sentence("a slow answer", ko="느린 응답"),
    "fault_cut": Sentence("an answer cut off", ko="끊긴 응답"),
    "fault_hint": Sentence(
        "Hits the next attempts for this model, which are this call's unless somebody else is quicker. What fails "
        "counts for the circuit.",
        ko="이 모델의 다음 시도에 적용됩니다. 다른 호출이 먼저 오면 그쪽이 맞을 수 있습니다. 실패는 서킷에 집계됩니다.",
    ),
    "send": Sentence("Send", ko="보내기"),
    "costs": Sentence(
        "This is a real call and costs real money, within the budgets of the key `console`.",
        ko="실제 호출이며 비용이 듭니다. `console` 키의 예산 안에서만 보냅니다.",
    ),
    "free": Sentence(
        "Upstreams are simulated: nothing leaves this machine, and nothing is billed.",
        ko="업스트림이 시뮬레이션이라 아무것도 밖으로 나가지 않고 비용도 없습니다.",
    ),
    "no_key": Sentence(
        "Callers bring their own key here, and the console has none: the upstream will refuse this call.",
        ko="여기서는 호출자가 자기 키를 가져오는데 콘솔에는 키가 없습니다. 업스트림이 이 호출을 거절합니다.",
    ),
    "answer": Sentence("The answer", ko="응답"),
    "refusal": Sentence("No answer", ko="응답 없음"),
    "nothing": Sentence("(no text)", ko="(글 없음)"),
    "waterfall": Sentence("See what became of it", ko="처리 과정 보기"),
    "empty": Sentence(
        "Ask something; you see what each guard did with it.",
        ko="질문을 보내면 각 가드의 처리를 볼 수 있습니다.",
    ),
    "clients": Sentence("The same from a program", ko="프로그램에서 호출하기"),
    "copy": Sentence("Copy", ko="복사"),
    "copied": Sentence("Copied", ko="복사됨"),
}


async def look(visit: Visit) -> Facts:
    """What can be asked, and how programs do."""
    settings = visit.runtime.settings
    model = visit.form.get("model", "").strip()[:LONGEST_MODEL] or settings.models.standard
    models = settings.models
    return {
        "prompt": visit.form.get("prompt", "")[:LONGEST_PROMPT],
        "model": model,
        "models": list(dict.fromkeys((models.small, models.standard, models.large))),
        "faults": list(FAULTS) if settings.simulated else [],
        "fault": visit.form.get("fault", "none"),
        "simulated": settings.simulated,
        "keyless": not settings.simulated and all(one.key is None for one in visit.runtime.upstreams),
        "clients": clients(visit.address, model),
        "answer": None,
    }


async def send(visit: Visit) -> Facts:
    """Send one call through the pipeline and show what came of it."""
    form, runtime = visit.form, visit.runtime
    prompt, model, fault = (
        form.get("prompt", "").strip(),
        form.get("model", "").strip(),
        form.get("fault", "none"),
    )
    if not 0 < len(prompt) <= LONGEST_PROMPT:
        raise unreadable("prompt", f"1-{LONGEST_PROMPT} characters")
    if not 0 < len(model) <= LONGEST_MODEL:
        raise unreadable("model", f"1-{LONGEST_MODEL} characters")
    if fault not in FAULTS or (fault != "none" and not runtime.settings.simulated):
        raise unreadable("fault", ", ".join(FAULTS))
    call = _call(runtime, prompt, model)
    await _break(runtime, call, fault)
    return {**await look(visit), "answer": await _answered(visit, call)}


def _call(runtime: Runtime, prompt: str, model: str) -> Call:
    body = {"model": model, "max_tokens": MOST_TOKENS, "messages": [{"role": "user", "content": prompt}]}
    name = runtime.new_id()
    headers = (("content-type", "application/json"), ("anthropic-version", "2023-06-01"))
    incoming = Incoming(body=msgspec.json.encode(body), headers=headers)
    return runtime.call(incoming, Principal(door="gateway", key=NAME), request_id=name)


async def _break(runtime: Runtime, call: Call, fault: str) -> None:
    """Tell the embedded simulators what is to happen to the next attempts for its model."""
    actions = FAULTS[fault]
    if not actions:
        return
    times = runtime.settings.retry.attempts if fault == "outage" else 1
    faults = [{"action": one, "model": call.request.model, "times": times} for one in actions]
    headers: Headers = (("content-type", "application/json"),)
    body = msgspec.json.encode({"faults": faults})
    for one in runtime.upstreams:
        if one.config.url == SIMULATOR:
            request = UpstreamRequest(method="POST", path="/__sim/faults", headers=headers, body=body)
            connection = await one.client.send(request)
            try:
                await read_whole(connection, LARGEST)
            finally:
                await connection.aclose()


async def _answered(visit: Visit, call: Call) -> dict[str, object]:
    """What the caller got, whichever way it ended."""
    runtime = visit.runtime
    try:
        settling = await runtime.pipeline(call)
        body = await settling.read()
    except ConfigError:
        raise
    except HoldfastError as error:
        return _facts(
            call, status=error.status, code=error.error_code, text=error.say(visit.language), cost=None
        )
    response = settling.response
    cost = runtime.cost(call, response.meter) if response.status < 400 else None
    code, text = read(body)
    return _facts(
        call, status=response.status, code=code, text=text, cost=None if cost is None else plain(cost)
    )


def _facts(call: Call, *, status: int, code: str | None, text: str, cost: str | None) -> dict[str, object]:
    return {
        "request_id": call.request_id,
        "status": status,
        "ok": status < 400,
        "code": code,
        "text": text,
        "cost": cost,
    }


def read(body: bytes) -> tuple[str | None, str]:
    """The code of an error, if it is one, and the text; nothing of what is no answer of the API."""
    try:
        told = msgspec.json.decode(body, type=_Told)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, ""
    if told.error is not None:
        return told.error.type, told.error.message
    return None, "\n".join(one.text for one in told.content if one.type == "text")


PAGE = Page(
    name="try",
    title=Sentence("What happens to a call?", ko="호출하면 어떤 일이 일어나나?"),
    label=Sentence("Try it", ko="체험"),
    words=WORDS,
    look=look,
    key="t",
    acts={"send": send},
)
