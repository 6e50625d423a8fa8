"""Logistic regression over sparse rows: one convex sum, minimised by limited-memory BFGS in numpy alone.

The optimum of an L2-penalised logistic loss is unique, so that any solver finds the same weights; this one
needs no compiled library and gives the same bytes on every run.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Indexes = NDArray[np.int64]

_MEMORY = 10
_ENOUGH = 1e-4
"""A gradient this small, per unit of example weight, is no gradient."""


Floats = NDArray[np.float32]
_NOTHING = np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Sparse rows, and the same by columns, so that both sums run along memory.

    Attributes:
        columns: of each value, row by row.
        values: the values, row by row.
        firsts: where each row begins, and where the last one ends.
        rows_down: of each value its row, column by column.
        values_down: the values, column by column.
        tops: where each column begins, and where the last one ends.
    """

    columns: NDArray[np.int32]
    values: Floats
    firsts: Indexes
    rows_down: NDArray[np.int32]
    values_down: Floats
    tops: Indexes

    @classmethod
    def stacked(cls, parts: Iterable[tuple[Indexes, Vector]], *, width: int) -> "Table":
        """One row for each part of (columns, values)."""
        kept = list(parts)
        return cls.of(
            columns=np.concatenate([_NOTHING, *(columns for columns, _ in kept)]).astype(np.int32),
            values=np.concatenate([_NOTHING, *(values for _, values in kept)]).astype(np.float32),
            sizes=np.array([len(columns) for columns, _ in kept], dtype=np.int64),
            width=width,
        )

    @classmethod
    def of(cls, *, columns: NDArray[np.int32], values: Floats, sizes: Indexes, width: int) -> "Table":
        """Rows of these sizes, one after another."""
        order = np.argsort(columns, kind="stable")
        rows = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        return cls(
            columns=columns,
            values=values,
            firsts=_edges(sizes),
            rows_down=rows[order],
            values_down=values[order],
            tops=_edges(np.bincount(columns, minlength=width)),
        )

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.tops) - 1

    def times(self, weights: Vector) -> Vector:
        """Each row's sum of weights."""
        return _sums(weights.astype(np.float32)[self.columns] * self.values, self.firsts)

    def transposed_times(self, amounts: Vector) -> Vector:
        """Each column's sum of amounts."""
        return _sums(amounts.astype(np.float32)[self.rows_down] * self.values_down, self.tops)

    def used(self) -> "Table":
        """The same rows without columns that have no values."""
        filled = np.diff(self.tops) > 0
        names = (np.cumsum(filled) - 1).astype(np.int32)
        tops = np.append(self.tops[:-1][filled], self.tops[-1])
        return replace(self, columns=names[self.columns], tops=tops)

    def chosen(self, kept: NDArray[np.bool_]) -> "Table":
        """The rows that `kept` marks."""
        sizes = np.diff(self.firsts)
        inside, inside_down = np.repeat(kept, sizes), kept[self.rows_down]
        names = (np.cumsum(kept) - 1).astype(np.int32)
        return Table(
            columns=self.columns[inside],
            values=self.values[inside],
            firsts=_edges(sizes[kept]),
            rows_down=names[self.rows_down[inside_down]],
            values_down=self.values_down[inside_down],
            tops=np.append(0, np.cumsum(inside_down))[self.tops],
        )


def _edges(sizes: Indexes) -> Indexes:
    edges = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=edges[1:])
    return edges


def _sums(values: Floats, edges: Indexes) -> Vector:
    """The sum of each stretch of `values`; an empty one has none."""
    sums = np.zeros(len(edges) - 1)
    filled = np.flatnonzero(np.diff(edges))
    if len(filled):
        sums[filled] = np.add.reduceat(values, edges[filled])
    return sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How weights are sought: the penalty on them, for how many rounds, and from which weights on."""

    penalty: float
    rounds: int = 60
    start: Vector | None = None


def fit(table: Table, labels: Vector, importance: Vector, effort: Effort) -> Vector:
    """Weights with the bias last, that make `labels` (0 or 1) likely; `importance` is each row's share.

    A column without values has no weight.
    """
    used = np.append(np.diff(table.tops) > 0, True)
    start = None if effort.start is None else effort.start[used]
    weights = np.zeros(table.width + 1)
    weights[used] = _fit(table.used(), labels, importance, replace(effort, start=start))
    return weights


def _fit(table: Table, labels: Vector, importance: Vector, effort: Effort) -> Vector:
    penalty = effort.penalty
    total = importance.sum()
    signs = 2 * labels - 1

    def loss(weights: Vector) -> tuple[float, Vector]:
        margins = signs * (table.times(weights[:-1]) + weights[-1])
        value = float((importance * np.logaddexp(0, -margins)).sum() / total)
        pull = -signs * importance / total * _sigmoid(-margins)
        gradient = np.append(table.transposed_times(pull), pull.sum())
        gradient[:-1] += penalty * weights[:-1]
        return value + penalty / 2 * float(weights[:-1] @ weights[:-1]), gradient

    start = np.zeros(table.width + 1) if effort.start is None else effort.start
    return _minimised(loss, start, effort.rounds)


def _sigmoid(margins: Vector) -> Vector:
    return 1 / (1 + np.exp(np.minimum(-margins, 500)))


def _minimised(loss: Callable[[Vector], tuple[float, Vector]], start: Vector, rounds: int) -> Vector:
    weights = start
    value, gradient = loss(weights)
    moves: list[tuple[Vector, Vector]] = []
    for _ in range(rounds):
        if np.abs(gradient).max() < _ENOUGH / 100:
            break
        direction = -_turned(gradient, moves)
        step = 1.0 if moves else 1 / max(float(np.linalg.norm(gradient)), 1e-12)
        slope = float(gradient @ direction)
        while True:
            after = weights + step * direction
            next_value, next_gradient = loss(after)
            if next_value <= value + 1e-4 * step * slope or step < 1e-8:
                break
            step /= 2
        moved, bent = after - weights, next_gradient - gradient
        if float(moved @ bent) > 1e-12:
            moves = [*moves[-_MEMORY + 1 :], (moved, bent)]
        weights, value, gradient = after, next_value, next_gradient
    return weights


def _turned(gradient: Vector, moves: list[tuple[Vector, Vector]]) -> Vector:
    """The gradient times the inverse curvature that the last moves showed."""
    turned = gradient.copy()
    shares: list[float] = []
    for moved, bent in reversed(moves):
        share = float(moved @ turned) / float(moved @ bent)
        turned -= share * bent
        shares.append(share)
    if moves:
        moved, bent = moves[-1]
        turned *= float(moved @ bent) / float(bent @ bent)
    for (moved, bent), share in zip(moves, reversed(shares), strict=True):
        turned += (share - float(bent @ turned) / float(moved @ bent)) * moved
    return turned
