"""The sheet of `holdfast bench`: the figures of both ways and their ratios, for people and for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from holdfast.cli.inert import printable
from holdfast.cli.main import language
from holdfast.cli.table import table
from holdfast.language import Sentence
from holdfast.operations.bench import Bench, Tally, added, ratio

NAMES = ("p50", "p95", "p99")
Figures: TypeAlias = dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was counted; `url` is the gateway, `None` for the pipeline in this process."""

    bench: Bench
    url: str | None
    interrupted: bool

    def facts(self) -> dict[str, object]:
        """For programs: milliseconds, and ratios of holdfast to the direct way."""
        bench = self.bench
        direct, through, ratios = self._figures()
        return {
            "url": self.url,
            "requests": bench.load.requests,
            "concurrency": bench.load.concurrency,
            "stream": bench.load.stream,
            "interrupted": self.interrupted,
            "direct": direct,
            "holdfast": through,
            "overhead_ms": _named(added(bench.guarded, bench.beside)),
            "ratio": ratios,
        }

    def _figures(self) -> tuple[Figures, Figures, Figures]:
        """Of both ways and their ratios; of a gateway the CPU is in another process, where this one cannot count it."""
        found = (_facts(self.bench.beside), _facts(self.bench.guarded), _ratios(self.bench))
        if self.url is not None:
            for one in found:
                one["cpu_ms"] = None
        return found

    def said(self) -> str:
        """The same for people."""
        direct, through, ratios = self._figures()
        rows = [
            (label.say(language()), _figure(direct[name]), _figure(through[name]), _times(ratios[name]))
            for name, label in _LABELS.items()
            if direct[name] is not None or through[name] is not None
        ]
        lines = [_title(self).say(language()), table(_HEADERS, rows, right=(1, 2, 3)) if rows else ""]
        if (more := added(self.bench.guarded, self.bench.beside)) is not None:
            lines.append(_overhead(more).say(language()))
        if self.url is not None:
            lines.append(_NO_CPU.say(language()))
        lines += [_failed(name, tally) for name, tally in self._tallies() if tally.failed]
        if self.interrupted:
            lines.append(_INTERRUPTED.say(language()))
        return "\n".join(line for line in lines if line)

    @property
    def has_failures(self) -> bool:
        """Whether a request of either way has failed."""
        return bool(self.bench.beside.failed or self.bench.guarded.failed)

    def _tallies(self) -> tuple[tuple[str, Tally], ...]:
        return (
            (Sentence("directly", ko="직접").say(language()), self.bench.beside),
            (Sentence("through holdfast", ko="holdfast 경유").say(language()), self.bench.guarded),
        )


def _facts(tally: Tally) -> Figures:
    """What was counted of one way, in milliseconds."""
    return {
        "answered": len(tally.took),
        "failed": tally.failed.total(),
        "requests_per_second": _rounded(tally.rate),
        **{f"{name}_ms": one for name, one in _named(tally.quantiles()).items()},
        "cpu_ms": _rounded(None if tally.cpu_each is None else 1000 * tally.cpu_each),
    }


def _ratios(bench: Bench) -> Figures:
    """How many times the direct way holdfast is, each figure."""
    ours, theirs = bench.guarded, bench.beside
    quantiles = zip(ours.quantiles() or (None,) * 3, theirs.quantiles() or (None,) * 3, strict=True)
    return {
        "requests_per_second": _rounded(ratio(ours.rate, theirs.rate)),
        **{f"{name}_ms": _rounded(ratio(*pair)) for name, pair in zip(NAMES, quantiles, strict=True)},
        "cpu_ms": _rounded(ratio(ours.cpu_each, theirs.cpu_each)),
    }


def _named(seconds: Sequence[float] | None) -> Figures:
    found = (None,) * len(NAMES) if seconds is None else [_rounded(1000 * one) for one in seconds]
    return dict(zip(NAMES, found, strict=True))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"


_LABELS: Mapping[str, Sentence] = {
    "requests_per_second": Sentence("requests/s", ko="초당 요청"),
    "p50_ms": Sentence("p50 ms", ko="p50 응답 시간(ms)"),
    "p95_ms": Sentence("p95 ms", ko="p95 응답 시간(ms)"),
    "p99_ms": Sentence("p99 ms", ko="p99 응답 시간(ms)"),
    "cpu_ms": Sentence("CPU ms per request", ko="요청당 CPU ms"),
}
_HEADERS = (
    Sentence("figure", ko="항목"),
    Sentence("directly", ko="직접"),
    Sentence("through holdfast", ko="holdfast 경유"),
    Sentence("ratio", ko="비율"),
)
_INTERRUPTED = Sentence(
    "Interrupted; these are the figures so far.", ko="중단했습니다. 여기까지 잰 결과입니다."
)
_NO_CPU = Sentence(
    "The CPU of a gateway is in its own process and not counted here; without --url it is.",
    ko="게이트웨이의 CPU는 다른 프로세스의 것이라 여기서 재지 않습니다. --url 없이 실행하면 잽니다.",
)


def _title(found: Found) -> Sentence:
    load = found.bench.load
    done = min(found.bench.beside.asked, found.bench.guarded.asked)
    what = Sentence("streams", ko="스트림") if load.stream else Sentence("answers", ko="응답")
    where = found.url and printable(found.url)
    return Sentence(
        f"{done} of {load.requests} requests each way, {load.concurrency} at once, {what.en}; "
        f"{where or 'the pipeline in this process'}, beside the simulator asked directly",
        ko=f"양쪽에 요청 {load.requests}건 중 {done}건, 동시 {load.concurrency}건, {what.ko}. "
        f"{where or '이 프로세스의 파이프라인'} 대 직접 부른 시뮬레이터",
    )


def _overhead(more: Sequence[float]) -> Sentence:
    figures = ", ".join(f"{name} {1000 * one:+.2f} ms" for name, one in zip(NAMES, more, strict=True))
    return Sentence(
        f"overhead: {figures} (callers that wait for each other's CPU included)",
        ko=f"추가 시간: {figures} (동시 요청이 서로의 CPU를 기다린 시간 포함)",
    )


def _failed(name: str, tally: Tally) -> str:
    why = ", ".join(f"{printable(one)} x{count}" for one, count in tally.failed.most_common(3))
    count = tally.failed.total()
    return Sentence(f"{count} failed {name}: {why}", ko=f"{name}: {count}건 실패: {why}").say(language())
