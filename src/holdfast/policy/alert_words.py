"""Alerts in words."""

from holdfast.language import Sentence
from holdfast.policy.alert_rules import AlertRuleConfig, Exceeds, Happens, RateExceeds
from holdfast.policy.incidents import Notice

WHAT = {
    "budget threshold": Sentence("A budget has passed a threshold", ko="예산이 알림 기준을 넘었습니다"),
    "circuit open": Sentence("A circuit is open", ko="서킷이 열렸습니다"),
    "credential gate": Sentence(
        "The upstream rejects the key that holdfast calls it with",
        ko="업스트림이 holdfast가 쓰는 키를 거부합니다",
    ),
    "spend gate": Sentence(
        "The account at the upstream has reached its spend limit",
        ko="업스트림 계정이 지출 한도에 도달했습니다",
    ),
    "gate closed": Sentence("A gate is closed", ko="게이트가 닫혔습니다"),
    "runaway run": Sentence("An agent ran away and was stopped", ko="폭주한 에이전트를 정지했습니다"),
    "crash": Sentence("A bug met a request", ko="요청을 처리하다가 내부 오류가 났습니다"),
    "unpriced": Sentence("Calls have no known price", ko="요금을 알 수 없는 호출이 있습니다"),
    "unsettled": Sentence(
        "Calls could not be settled in the books", ko="장부에 정산하지 못한 호출이 있습니다"
    ),
    "dropped": Sentence("Log lines or alerts were dropped", ko="버려진 로그나 알림이 있습니다"),
}
RATE_NAMES = {"error rate": "오류율", "fallback rate": "대체 응답 비율", "refusal rate": "거절 비율"}
OVER = Sentence("Over", ko="해결")
GOES_ON = Sentence("Still so", ko="계속됨")
ALERT = Sentence("Alert", ko="발생")


def told(notice: Notice, rule: AlertRuleConfig, detail: Sentence) -> Sentence:
    """What is said of an incident; `detail` is what was last known of it."""
    case = notice.incident.case
    mark = {"began": ALERT, "goes_on": GOES_ON, "over": OVER}[notice.what]
    what, about = condition(rule), f" ({case.label})" if case.label else ""
    more = Sentence(f" {detail.en}" if detail.en else "", ko=f" {detail.ko}" if detail.ko else "")
    seconds = int(notice.incident.seen - notice.incident.began)
    lasted = Sentence("", ko="")
    if notice.what != "began":
        lasted = Sentence(f" It lasted {seconds} s.", ko=f" {seconds}초 동안 이어졌습니다.")
        if notice.what == "goes_on":
            lasted = Sentence(f" For {seconds} s now.", ko=f" {seconds}초째입니다.")
    return Sentence(
        f"[holdfast] {mark.en}: {what.en}{about}.{lasted.en}{more.en}",
        ko=f"[holdfast 알림] {mark.ko}: {what.ko}{about}.{lasted.ko}{more.ko}",
    )


def condition(rule: AlertRuleConfig) -> Sentence:
    """What a rule has seen when it holds."""
    found = rule.condition
    if isinstance(found, Happens):
        return WHAT[found.what]
    if isinstance(found, Exceeds):
        what = WHAT[found.measure]
        many = Sentence(f"{what.en} (more than {found.above})", ko=f"{what.ko}({found.above}건 초과)")
        return many if found.above else what
    if isinstance(found, RateExceeds):
        share = f"{found.above * 100:g} %"
        return Sentence(
            f"The {found.rate} is above {share}", ko=f"{RATE_NAMES[found.rate]}이 {share}를 넘었습니다"
        )
    if found.negated:
        return Sentence(f"The verdict is not `{found.kind}`", ko=f"판정이 `{found.kind}`이(가) 아닙니다")
    return Sentence(f"The verdict is `{found.kind}`", ko=f"판정이 `{found.kind}`입니다")
