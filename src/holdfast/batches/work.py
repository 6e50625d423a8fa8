"""A batch under way: which it is, what of it is done, and how much that has cost."""

import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from holdfast.assembly import Runtime
from holdfast.batches.item import Item, Unreadable
from holdfast.batches.row import DONE, Row, cost_of, not_run, unreadable
from holdfast.batches.source import Source, Survey
from holdfast.call import NO_LIMITS, OwnLimits, Principal
from holdfast.errors import BudgetExhausted, ConfigError, HoldfastError
from holdfast.language import Sentence
from holdfast.policy.budget import BudgetConfig
from holdfast.stores.journal import Journal
from holdfast.stores.open import MEMORY

Way = Literal["direct", "batches"]


@dataclass(slots=True, kw_only=True)
class Counts:
    """How far a batch is; `cost` is exact dollars, of all its sessions."""

    items: int
    unreadable: int
    answered: int = 0
    failed: int = 0
    cost: Decimal = Decimal(0)

    @property
    def left(self) -> int:
        """Lines that nothing has become of."""
        return self.items - self.answered - self.failed


@dataclass(slots=True, kw_only=True)
class Work:
    """One batch, open: its lines, its journal and the pipeline that it goes through.

    Attributes:
        counts: how far it is.
        over: the error that has ended it early: a budget, or an operator.
    """

    runtime: Runtime
    source: Source
    survey: Survey
    journal: Journal
    max_usd: Decimal | None = None
    counts: Counts = field(init=False)
    over: HoldfastError | None = None

    def __post_init__(self) -> None:
        bad = len(self.survey.unreadable)
        self.counts = Counts(items=self.survey.items, unreadable=bad)
        for _, row in self.journal.rows():
            self._count(row, 1)

    @property
    def principal(self) -> Principal:
        """In whose name everything is asked: all of it is one run, which can be stopped."""
        return Principal(door="library", run=self.journal.run)

    @property
    def limits(self) -> OwnLimits:
        """What all of it may cost; raises `BudgetExhausted` when that is spent already."""
        if self.max_usd is None:
            return NO_LIMITS
        # A store that outlives this process has counted what was spent before; one in memory has not.
        spent = self.counts.cost if self.runtime.settings.store_url == MEMORY else Decimal(0)
        if self.max_usd <= max(spent, self.counts.cost):
            raise _spent(self.max_usd)
        config = BudgetConfig(usd=self.max_usd - spent, per="total", alert_at=())
        return OwnLimits(budgets={self.journal.run: config})

    def stop(self, error: HoldfastError | None) -> None:
        """Note what has ended it early; what its own limit says is said in the words of whoever set it."""
        own = error is not None and error.details.get("budget") == self.journal.run
        self.over = _spent(self.max_usd) if own and self.max_usd is not None else error

    def items(self) -> Iterator[Item]:
        """The lines that something is left to do about."""
        for one in self.source.lines():
            if isinstance(one, Item) and not self.journal.is_done(one.number):
                yield one

    def keep(self, number: int, row: Row) -> None:
        """Write down what has become of a line; one that failed may be asked again in another session."""
        before = self.journal.row(number)
        if before is not None:
            self._count(before, -1)
            # What was paid in vain stays paid.
            row = {**row, "cost": f"{cost_of(row) + cost_of(before):f}"} if row["cost"] is not None else row
        self.journal.add(number, row, is_final=row["outcome"] in DONE)
        self._count(row, 1)

    def write(self, path: Path) -> None:
        """Write the output, whole or not at all: a row for every line, in their order."""
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with beside.open("xb") as file:
                for one in self.source.lines():
                    file.write(msgspec.json.encode(self._row(one)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise _unwritable(path, error) from error
        finally:
            beside.unlink(missing_ok=True)

    def _row(self, one: Item | Unreadable) -> Row:
        if isinstance(one, Unreadable):
            return unreadable(one)
        row = self.journal.row(one.number)
        return not_run(one.id) if row is None else row

    def _count(self, row: Mapping[str, object], by: int) -> None:
        if row["outcome"] in DONE:
            self.counts.answered += by
        else:
            self.counts.failed += by
        self.counts.cost += by * cost_of(row)


def opened(source: Source, survey: Survey, output: Path, *, upstream: str, way: Way, fresh: bool) -> Journal:
    """The journal beside the output. Raises `ConfigError` where it is that of another batch.

    An output without a journal is not overwritten unless `fresh`: nobody knows what it has cost.
    """
    path = output.with_name(f"{output.name}.journal")
    if output.exists() and not path.exists() and not fresh:
        raise _in_the_way(output)
    defaults = source.defaults
    of = {
        "file": survey.digest,
        "model": defaults.model,
        "system": defaults.system or "",
        "max_tokens": str(defaults.max_tokens),
        "upstream": upstream,
        "api": way,
    }
    run = f"batch_{secrets.token_hex(8)}"
    return Journal.open(path, of, run=run, cure=_cure(output), fresh=fresh)


def _cure(output: Path) -> Sentence:
    return Sentence(
        f"Give the same file and options to go on with it, another output than {output.name}, or --fresh to throw "
        "its answers away and pay for all of them again.",
        ko=f"이어서 하려면 같은 파일과 옵션을 쓰고, 아니면 {output.name}이(가) 아닌 다른 출력 파일을 지정하세요. "
        "--fresh를 쓰면 이전 답을 버리고 처음부터 다시 비용을 냅니다.",
    )


def _in_the_way(output: Path) -> ConfigError:
    return ConfigError(
        Sentence(
            f"{output.name} is there already and has no journal, so it is not touched. Choose another output, or "
            "--fresh to overwrite it.",
            ko=f"{output.name} 파일이 이미 있고 작업 기록이 없어 건드리지 않습니다. 다른 출력 파일을 지정하거나 "
            "--fresh로 덮어쓰세요.",
        )
    )


def _spent(limit: Decimal) -> BudgetExhausted:
    return BudgetExhausted(
        Sentence(
            f"The next line could cost more than is left of the ${limit:f} that this batch may spend. Raise --max-usd "
            "to go on, or ask for shorter answers (--max-tokens).",
            ko=f"다음 줄의 비용이 이 배치에 허용된 ${limit:f} 가운데 남은 금액을 넘을 수 있습니다. 계속하려면 --max-usd를 "
            "올리거나 답을 더 짧게(--max-tokens) 요청하세요.",
        )
    )


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        Sentence(
            f"{path.name} cannot be written: {error.strerror}. What is done is kept in the journal beside it; give the "
            "same command again once there is room.",
            ko=f"{path.name}에 쓸 수 없습니다: {error.strerror}. 끝난 답은 옆의 작업 기록에 남아 있으니, 문제를 해결한 뒤 "
            "같은 명령을 다시 실행하세요.",
        )
    )
