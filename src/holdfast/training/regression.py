"""Logistic regression over sparse rows: one convex sum, minimised by limited-memory BFGS in numpy alone.

The optimum of an L2-penalised logistic loss is unique, so that any solver finds the same weights; this one
needs no compiled library and gives the same bytes on every run.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Indexes = NDArray[np.int64]

_MEMORY = 10
_ENOUGH = 1e-4
"""A gradient this small, per unit of example weight, is no gradient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Sparse rows: `values[i]` stands in row `rows[i]`, column `columns[i]`."""

    rows: Indexes
    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    height: int
    width: int

    @classmethod
    def stacked(cls, parts: Iterable[tuple[Indexes, NDArray[np.float64]]], *, width: int) -> "Table":
        """One row for each part of (columns, values)."""
        kept = list(parts)
        sizes = np.array([len(columns) for columns, _ in kept], dtype=np.int64)
        none = np.zeros(0)
        return cls(
            rows=np.repeat(np.arange(len(kept)), sizes),
            columns=np.concatenate([none, *(columns for columns, _ in kept)]).astype(np.int32),
            values=np.concatenate([none, *(values for _, values in kept)]).astype(np.float32),
            height=len(kept),
            width=width,
        )

    def times(self, weights: Vector) -> Vector:
        """Each row's sum of weights."""
        sums = np.bincount(self.rows, weights[self.columns] * self.values, minlength=self.height)
        return sums.astype(np.float64)

    def transposed_times(self, amounts: Vector) -> Vector:
        """Each column's sum of amounts."""
        sums = np.bincount(self.columns, amounts[self.rows] * self.values, minlength=self.width)
        return sums.astype(np.float64)

    def chosen(self, kept: NDArray[np.bool_]) -> "Table":
        """The rows that `kept` marks."""
        new_rows = np.cumsum(kept) - 1
        inside = kept[self.rows]
        return Table(
            rows=new_rows[self.rows[inside]],
            columns=self.columns[inside],
            values=self.values[inside],
            height=int(kept.sum()),
            width=self.width,
        )


def fit(table: Table, labels: Vector, importance: Vector, *, penalty: float, rounds: int = 60) -> Vector:
    """Weights with the bias last, that make `labels` (0 or 1) likely; `importance` is each row's share."""
    total = importance.sum()
    signs = 2 * labels - 1

    def loss(weights: Vector) -> tuple[float, Vector]:
        margins = signs * (table.times(weights[:-1]) + weights[-1])
        value = float((importance * np.logaddexp(0, -margins)).sum() / total)
        pull = -signs * importance / total * _sigmoid(-margins)
        gradient = np.append(table.transposed_times(pull), pull.sum())
        gradient[:-1] += penalty * weights[:-1]
        return value + penalty / 2 * float(weights[:-1] @ weights[:-1]), gradient

    return _minimised(loss, np.zeros(table.width + 1), rounds)


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
