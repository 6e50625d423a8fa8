"""Every sentence of the page of spending."""

from collections.abc import Mapping

from holdfast.language import Sentence

WORDS: Mapping[str, Sentence] = {
    "none": Sentence("No spend yet.", ko="아직 지출이 없습니다."),
    "none_budget": Sentence(
        "And there is no budget: nothing would stop a runaway. Set one below.",
        ko="예산도 없습니다. 비용이 폭주해도 막을 것이 없으니 아래에서 예산을 설정하세요.",
    ),
    "none_hint": Sentence(
        "As soon as a call is answered, you see here who spent what, against their own last 7 days.",
        ko="호출이 응답을 받으면 누가 얼마를 썼는지, 각자의 최근 7일과 비교해서 여기에 나타납니다.",
    ),
    "month": Sentence("This month", ko="이번 달"),
    "to_date": Sentence("month to date", ko="이번 달 누계"),
    "today": Sentence("today", ko="오늘"),
    "forecast": Sentence("forecast for the month", ko="이번 달 예측"),
    "range": Sentence("{low} to {high}", ko="{low}부터 {high}까지"),
    "per_day": Sentence("a day, on average", ko="하루 평균"),
    "method": Sentence(
        "The mean of the last {days} full days for every day that is left. The range is two standard deviations of "
        "those days over the rest of the month, as if days did not depend on each other.",
        ko="최근 {days}일의 평균을 남은 날마다 더했습니다. 범위는 날마다 서로 독립이라고 보고 "
        "그 날들의 표준편차 두 배를 남은 기간에 적용한 것입니다.",
    ),
    "method_short": Sentence(
        "The mean of {days} full days for every day that is left; one day gives no range.",
        ko="지난 {days}일의 평균을 남은 날마다 더했습니다. 하루뿐이라 범위는 알 수 없습니다.",
    ),
    "no_forecast": Sentence(
        "A forecast needs one full day of spending.", ko="예측하려면 하루치 지출 기록이 필요합니다."
    ),
    "days_of": Sentence("Days and months are those of {zone}.", ko="날짜와 달은 {zone} 기준입니다."),
    "movers": Sentence("Who moves it", ko="누가 쓰는가"),
    "by": Sentence("By", ko="기준"),
    "by_key": Sentence("key", ko="키"),
    "by_user": Sentence("user", ko="사용자"),
    "by_model": Sentence("model", ko="모델"),
    "by_run": Sentence("run", ko="실행"),
    "by_organisation": Sentence("everybody together", ko="전체"),
    "who": Sentence("who", ko="대상"),
    "nobody": Sentence("(not said)", ko="(알 수 없음)"),
    "usual": Sentence("own median of 7 days", ko="자신의 7일 중앙값"),
    "against": Sentence("against it", ko="대비"),
    "up": Sentence("more", ko="증가"),
    "same": Sentence("as usual", ko="평소 수준"),
    "new": Sentence("new", ko="신규"),
    "per_hour": Sentence("$ per hour now", ko="현재 시간당 $"),
    "share": Sentence("share of today", ko="오늘 비중"),
    "acts": Sentence("do", ko="조치"),
    "limit_act": Sentence("limit…", ko="한도…"),
    "limit_one": Sentence("Limit {name}", ko="{name} 한도 설정"),
    "stop": Sentence("stop…", ko="정지…"),
    "stop_one": Sentence("Stop {name}", ko="{name} 정지"),
    "further": Sentence(
        "and {count} more; the CSV file below has all of them.",
        ko="외 {count}건. 전체는 아래 CSV 파일에 있습니다.",
    ),
    "partial": Sentence(
        "Today is compared with whole days, so what is above its median before the day is over is worth a look.",
        ko="오늘은 아직 끝나지 않았는데 하루 전체와 비교합니다. 하루가 끝나기 전에 중앙값을 넘었다면 살펴보세요.",
    ),
    "books": Sentence("Are the books whole?", ko="장부에 빠진 것은 없나?"),
    "unpriced": Sentence("Attempts without a price, this month", ko="이번 달 요금을 알 수 없는 시도"),
    "unpriced_bad": Sentence(
        "{count} attempts have no known price, so every sum on this page is too small. For each, the budgets that "
        "applied have counted the whole amount that was held, so no limit was passed unseen. Enter the price under "
        "[pricing.overrides], then price the books anew below.",
        ko="요금을 알 수 없는 시도가 {count}건 있어 이 페이지의 합계가 실제보다 작습니다. 적용된 예산에는 예약한 금액 "
        "전부를 사용액으로 계산했으므로 한도를 모르고 넘지는 않았습니다. [pricing.overrides]에 요금을 적은 뒤 아래에서 "
        "장부를 다시 계산하세요.",
    ),
    "unpriced_refused": Sentence(
        "New calls to a model without a price are refused.", ko="요금을 모르는 모델의 새 호출은 거절합니다."
    ),
    "unpriced_dearest": Sentence(
        "New calls to a model without a price are charged at the dearest known one.",
        ko="요금을 모르는 모델의 새 호출은 알려진 가장 비싼 요금으로 계산합니다.",
    ),
    "unsettled": Sentence("Held for calls under way (unsettled)", ko="진행 중이거나 정산되지 않은 예약"),
    "unsettled_hint": Sentence(
        "A hold whose worker was lost is charged what is presumed when its lease is over, never less than was seen.",
        ko="워커가 사라진 예약은 임대가 끝나면 추정 비용으로 정산합니다. 확인된 금액보다 적게 잡지 않습니다.",
    ),
    "estimated": Sentence("Of this month, estimated", ko="이번 달 중 추정치"),
    "budgets": Sentence("Budgets", ko="예산"),
    "budgets_none": Sentence("No budget is set.", ko="설정된 예산이 없습니다."),
    "budget": Sentence("budget", ko="예산"),
    "subject": Sentence("for", ko="대상"),
    "used": Sentence("used", ko="사용"),
    "limit": Sentence("limit", ko="한도"),
    "per": Sentence("per", ko="단위"),
    "resets": Sentence("begins anew", ko="초기화"),
    "ends": Sentence("used up at this pace", ko="이 속도로 소진"),
    "not_before": Sentence("not before", ko="그 전에는 아님"),
    "hard": Sentence("refuses", ko="거절"),
    "soft": Sentence("only counts", ko="집계만"),
    "change": Sentence("change…", ko="변경…"),
    "change_one": Sentence("Change the budget {name}", ko="{name} 예산 변경"),
    "approve": Sentence("let it go on", ko="계속 승인"),
    "approve_one": Sentence("Let the budget {name} go on", ko="{name} 예산 계속 승인"),
    "set_limit": Sentence("Set a limit", ko="한도 설정"),
    "change_limit": Sentence("Another limit for this budget", ko="이 예산의 한도 변경"),
    "limit_by": Sentence("For", ko="대상 종류"),
    "limit_value": Sentence("Its name", ko="이름"),
    "limit_usd": Sentence("Dollars", ko="달러"),
    "limit_per": Sentence("Per", ko="기간"),
    "per_hour_unit": Sentence("hour", ko="시간"),
    "per_day_unit": Sentence("day", ko="일"),
    "per_month_unit": Sentence("month", ko="월"),
    "per_total_unit": Sentence("in all", ko="전체 기간"),
    "limit_hint": Sentence(
        "Holds from the next call on. A new budget counts from now, not what was spent before; a call that does not "
        "fit any more is refused before it is sent.",
        ko="다음 호출부터 적용됩니다. 새 예산은 지금부터 세며 이전 지출은 포함하지 않습니다. 한도에 맞지 않는 호출은 보내기 "
        "전에 거절합니다.",
    ),
    "set": Sentence("Set limit", ko="한도 적용"),
    "saved": Sentence("Saved", ko="절약"),
    "saved_cache": Sentence("answer cache", ko="응답 캐시"),
    "saved_prompt_cache": Sentence("prompt cache", ko="프롬프트 캐시"),
    "saved_route": Sentence("routing", ko="라우팅"),
    "saved_calls": Sentence("calls", ko="호출"),
    "saved_how": Sentence("How it is computed", ko="계산 방법"),
    "reconcile": Sentence("Reconcile", ko="대조"),
    "reconcile_hint": Sentence(
        "Every attempt as a file, to hold against the invoice: one row each, with tokens, state and exact cost.",
        ko="청구서와 대조할 수 있도록 시도마다 토큰, 상태, 정확한 비용을 한 줄씩 담은 파일입니다.",
    ),
    "export_csv": Sentence("Export this month as CSV", ko="이번 달을 CSV로 내보내기"),
    "export_jsonl": Sentence("as JSON lines", ko="JSON Lines로 내보내기"),
    "prices": Sentence("price list", ko="요금표"),
    "reprice": Sentence("Price the books anew", ko="장부 다시 계산"),
    "reprice_hint": Sentence(
        "By the prices known today for each attempt's own day. Looking changes nothing; writing changes costs and "
        "sums, and leaves what budgets have counted.",
        ko="각 시도의 날짜에 해당하는 현재 요금표로 다시 계산합니다. 미리 보기는 아무것도 바꾸지 않으며, 반영하면 비용과 "
        "합계만 바뀌고 예산이 센 금액은 그대로입니다.",
    ),
    "since": Sentence("From (month, 7d, 2026-11-01, all)", ko="시작(month, 7d, 2026-11-01, all)"),
    "look_first": Sentence("Show what would change", ko="미리 보기"),
    "write_down": Sentence("Write it down", ko="장부에 반영"),
    "reckoned_dry": Sentence(
        "Of {seen} attempts {changed} would cost something else, a difference of {difference}; {newly} of them had "
        "no price before, {unpriced} still have none.",
        ko="시도 {seen}건 중 {changed}건의 비용이 바뀌며 차이는 {difference}입니다. 그중 {newly}건은 요금이 없던 것이고 "
        "{unpriced}건은 여전히 요금이 없습니다.",
    ),
    "reckoned": Sentence(
        "Of {seen} attempts {changed} cost something else now, a difference of {difference}; {newly} of them had no "
        "price before, {unpriced} still have none.",
        ko="시도 {seen}건 중 {changed}건의 비용을 바꿨으며 차이는 {difference}입니다. 그중 {newly}건은 요금이 없던 것이고 "
        "{unpriced}건은 여전히 요금이 없습니다.",
    ),
}
