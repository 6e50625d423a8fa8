"""How well the service does over time: outages, brown-outs and recoveries on the simulator's clock.

Times are seconds since the simulator's start or its last reset. Of several stretches that cover a moment the first whose
dice hit decides the error, and their latency factors multiply. A fault of the script goes before a profile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import msgspec

from holdfast.simulator.actions import Action, Status
from holdfast.simulator.faults import Draw, Target

OVERLOADED = 529


class Outage(msgspec.Struct, frozen=True, tag="outage", forbid_unknown_fields=True):
    """From `start` to `end` every request fails; without `end`, for good."""

    start: float
    end: float | None = None
    status: int = OVERLOADED
    action: Action | None = None
    """What happens instead of the status, such as `Reset()` or `Stall(0)`."""
    model: str | None = None
    """Only requests for this model id, as the caller wrote it."""
    region: str | None = None
    """Only requests for this place: `us`, or `global` for those that name none."""

    def intensity(self, at: float) -> tuple[float, float]:
        """The chance of an error and the latency factor at a moment."""
        covered = self.start <= at and (self.end is None or at < self.end)
        return (1.0 if covered else 0.0), 1.0


class BrownOut(msgspec.Struct, frozen=True, tag="brown_out", forbid_unknown_fields=True):
    """From `start` to `end` a share of the requests fails and all take longer.

    It grows over the first `ramp_up` seconds and fades over the last `ramp_down`.
    """

    start: float
    end: float
    error_rate: float = 0.0
    latency_factor: float = 1.0
    ramp_up: float = 0.0
    ramp_down: float = 0.0
    status: int = OVERLOADED
    action: Action | None = None
    model: str | None = None
    region: str | None = None

    def __post_init__(self) -> None:
        _check(self.error_rate, self.latency_factor)
        if min(self.ramp_up, self.ramp_down) < 0 or self.ramp_up + self.ramp_down > self.end - self.start:
            raise ValueError("the ramps of a brown-out must fit between its start and its end")

    def intensity(self, at: float) -> tuple[float, float]:
        """The chance of an error and the latency factor at a moment."""
        if not self.start <= at < self.end:
            return 0.0, 1.0
        up = (at - self.start) / self.ramp_up if self.ramp_up else 1.0
        down = (self.end - at) / self.ramp_down if self.ramp_down else 1.0
        share = min(1.0, up, down)
        return self.error_rate * share, 1.0 + (self.latency_factor - 1.0) * share


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of a service at a moment."""

    at: float
    error_rate: float = 0.0
    latency_factor: float = 1.0


class Curve(msgspec.Struct, frozen=True, tag="curve", forbid_unknown_fields=True):
    """Any course, in straight lines between points; before the first and after the last all is well."""

    points: tuple[Point, ...]
    status: int = OVERLOADED
    action: Action | None = None
    model: str | None = None
    region: str | None = None

    def __post_init__(self) -> None:
        for point in self.points:
            _check(point.error_rate, point.latency_factor)
        if any(first.at > second.at for first, second in pairwise(self.points)):
            raise ValueError("the points of a curve are in the order of time")

    def intensity(self, at: float) -> tuple[float, float]:
        """The chance of an error and the latency factor at a moment."""
        for first, second in pairwise(self.points):
            if first.at <= at < second.at:
                share = (at - first.at) / (second.at - first.at)
                return (
                    _between(first.error_rate, second.error_rate, share),
                    _between(first.latency_factor, second.latency_factor, share),
                )
        return 0.0, 1.0


Stretch: TypeAlias = Outage | BrownOut | Curve
Profile: TypeAlias = Sequence[Stretch]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What a profile means for one request."""

    action: Action | None = None
    latency_factor: float = 1.0


def weather(profile: Profile, target: Target, draw: Draw) -> Weather:
    """What happens to a request; its dice are those of the request alone, whatever else is on its way."""
    action: Action | None = None
    factor = 1.0
    for number, stretch in enumerate(profile):
        if stretch.model not in (None, target.model) or stretch.region not in (None, target.region):
            continue
        rate, slower = stretch.intensity(target.at)
        factor *= slower
        if action is None and rate > 0 and draw(f"profile {number}") < rate:
            action = stretch.action or Status(stretch.status)
    return Weather(action=action, latency_factor=factor)


def _between(first: float, second: float, share: float) -> float:
    return first + (second - first) * share


def _check(error_rate: float, latency_factor: float) -> None:
    if not 0 <= error_rate <= 1:
        raise ValueError("an error rate is a number from 0 to 1")
    if latency_factor <= 0:
        raise ValueError("a latency factor is greater than 0")
