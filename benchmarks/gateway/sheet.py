"""The figures of one run as tables, and the goals beside them: PASS, or short of what."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.gateway.run import Seen

OWN, OFF, BARE, DIRECT = "holdfast", "holdfast, budgets off", "bare proxy", "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line of the sheet: what was reached, and whether that is at least, or at most, what was wanted."""

    number: str
    text: str
    value: float | None
    wanted: float
    at_least: bool = False
    unit: str = ""

    @property
    def is_met(self) -> bool | None:
        """`None` where it was not measured."""
        if self.value is None:
            return None
        return self.value >= self.wanted if self.at_least else self.value <= self.wanted

    def line(self) -> str:
        """One row of the sheet."""
        sign = ">=" if self.at_least else "<="
        if self.value is None:
            return f"{self.number:<4} not run  {self.text} (goal {sign} {self.wanted:g} {self.unit})"
        verdict = "PASS " if self.is_met else "short"
        wanted = f"(goal {sign} {self.wanted:g} {self.unit})"
        return f"{self.number:<4} {verdict}  {self.value:8.2f} {self.unit:<3} {self.text} {wanted}"


def requests(seen: Sequence[Seen]) -> str:
    """Whole answers, and what a gateway needs to be there at all."""
    rows = [
        f"{'whole answers':<24}{'req/s':>9}{'us CPU':>9}{'x bare':>8}{'ready s':>9}{'idle MB':>9}{'MB load':>9}"
        f"{'+p50 ms':>9}{'+p99 ms':>9}{'errors':>8}"
    ]
    bare, direct = _of(seen, BARE), _of(seen, DIRECT)
    for one in seen:
        rows.append(
            f"{one.name:<24}{_said(one.median('json/s')):>9}{_said(one.median('json us')):>9}"
            f"{_ratio(one, bare, 'json us'):>8}{one.ready:>9.2f}{one.idle:>9.0f}{one.loaded:>9.0f}"
            f"{_said(added(one, direct, 'p50 ms')):>9}{_said(added(one, direct, 'p99 ms')):>9}{one.errors:>8}"
        )
    return "\n".join(rows)


def streams(seen: Sequence[Seen], crowd: Sequence[int]) -> str:
    """Streams of 55 events, and long ones under way."""
    heads = [f"{f'@{many}':>8}" for many in crowd]
    rows = [
        f"{'us CPU an event':<24}{'55 events each':<{8 * len(crowd)}} {'long':>{8 * len(crowd)}}"
        f"{'burst/s':>9}{'got/nominal':>13}{'1st ms':>8}",
        " " * 24 + "".join(heads) + " " + "".join(heads),
    ]
    most = crowd[-1]
    for one in seen:
        costs = "".join(f"{_said(one.median(f'event us {many}')):>8}" for many in crowd)
        steady = "".join(f"{_said(one.median(f'steady us {many}')):>8}" for many in crowd)
        got = one.median(f"steady/s {most}")
        share = "-" if got is None else f"{got / (most * 100):.2f} @{most}"
        rows.append(
            f"{one.name:<24}{costs} {steady}{_said(one.median('burst/s')):>9}{share:>13}"
            f"{_said(one.median(f'first ms {crowd[0]}')):>8}"
        )
    return "\n".join(rows)


def goals(seen: Sequence[Seen], crowd: Sequence[int]) -> list[Goal]:
    """P1 to P5; the others are measured by the other benchmarks."""
    own, off, bare, direct = (_of(seen, name) for name in (OWN, OFF, BARE, DIRECT))
    most = crowd[-1]
    found = [
        Goal(
            number="P1",
            text="requests/s of the bare proxy's",
            value=_over(own, bare, "json/s"),
            wanted=0.30,
            at_least=True,
        ),
        Goal(
            number="P1",
            text="the same by CPU a request",
            value=_over(bare, own, "json us"),
            wanted=0.30,
            at_least=True,
        ),
        *_beside(seen, own),
        Goal(
            number="P2",
            text="budgets off: requests/s of the bare proxy's",
            value=_over(off, bare, "json/s"),
            wanted=0.50,
            at_least=True,
        ),
        Goal(
            number="P2",
            text="the same by CPU a request",
            value=_over(bare, off, "json us"),
            wanted=0.50,
            at_least=True,
        ),
    ]
    for many in crowd:
        text = f"CPU an event beside the bare proxy, {many} streams"
        found += [
            Goal(
                number="P3",
                text=f"{text} of 55 events",
                value=_over(own, bare, f"event us {many}"),
                wanted=1.6,
                unit="x",
            ),
            Goal(
                number="P3",
                text=f"{text} under way",
                value=_over(own, bare, f"steady us {many}"),
                wanted=1.6,
                unit="x",
            ),
        ]
    return [
        *found,
        Goal(
            number="P3",
            text=f"events of {most} streams beside direct",
            value=_over(own, direct, f"steady/s {most}"),
            wanted=0.95,
            at_least=True,
        ),
        Goal(
            number="P4",
            text="added p50 at 20 requests/s",
            value=added(own, direct, "p50 ms"),
            wanted=1.0,
            unit="ms",
        ),
        Goal(
            number="P4",
            text="added p99 at 20 requests/s",
            value=added(own, direct, "p99 ms"),
            wanted=5.0,
            unit="ms",
        ),
        Goal(
            number="P4",
            text="added first token p50, 20 streams",
            value=added(own, direct, "first ms 20"),
            wanted=1.0,
            unit="ms",
        ),
        Goal(number="P5", text="memory at rest", value=own.idle if own else None, wanted=80, unit="MB"),
        Goal(
            number="P5",
            text=f"memory under {most} streams",
            value=own.loaded if own else None,
            wanted=120,
            unit="MB",
        ),
        Goal(
            number="P5",
            text="start to the first answer",
            value=own.ready if own else None,
            wanted=1.5,
            unit="s",
        ),
    ]


def _beside(seen: Sequence[Seen], own: Seen | None) -> list[Goal]:
    wanted = {"TensorZero": 1.0, "Portkey": 3.5, "LiteLLM": 35.0}
    return [
        Goal(
            number="P1",
            text=f"requests/s of {name}'s",
            value=_over(own, _of(seen, name), "json/s"),
            wanted=least,
            at_least=True,
            unit="x",
        )
        for name, least in wanted.items()
    ]


def added(one: Seen | None, direct: Seen | None, figure: str) -> float | None:
    """What a gateway adds to the answer of the upstream."""
    if one is None or direct is None:
        return None
    through, without = one.median(figure), direct.median(figure)
    return None if through is None or without is None else through - without


def _of(seen: Sequence[Seen], name: str) -> Seen | None:
    return next((one for one in seen if one.name == name), None)


def _over(one: Seen | None, other: Seen | None, figure: str) -> float | None:
    if one is None or other is None:
        return None
    top, bottom = one.median(figure), other.median(figure)
    return top / bottom if top is not None and bottom else None


def _ratio(one: Seen, bare: Seen | None, figure: str) -> str:
    found = _over(one, bare, figure)
    return "-" if found is None or one.name == DIRECT else f"{found:.2f}"


def _said(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"
