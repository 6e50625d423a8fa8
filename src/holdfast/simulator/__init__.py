"""A Messages API that needs no key, spends nothing, and misbehaves on request.

It imports nothing of holdfast: what it judges cannot share a mistake with it.
"""

from holdfast.simulator.actions import (
    Action,
    BigEvent,
    Chunks,
    CleanEnd,
    ContentLength,
    ContentType,
    Delay,
    Dialect,
    Duplicate,
    Endless,
    ErrorEvent,
    Gzip,
    HalfBody,
    HangUp,
    Malformed,
    ManyDeltas,
    Missing,
    OddUsage,
    OtherBody,
    OutOfOrder,
    Refusal,
    Refuse,
    Reset,
    SlowHeaders,
    Stall,
    Status,
    StopReason,
    WrongIndex,
)
from holdfast.simulator.app import Simulator
from holdfast.simulator.capacity import Capacity
from holdfast.simulator.capture import CapturedRequest
from holdfast.simulator.faults import Fault
from holdfast.simulator.latency import Latency, Pace
from holdfast.simulator.ledger import LedgerEntry
from holdfast.simulator.limits import RateLimits
from holdfast.simulator.profile import BrownOut, Curve, Outage, Point, Profile
from holdfast.simulator.ramp import Ramp
from holdfast.simulator.refusals import RefusalKind
from holdfast.simulator.replies import Turn

__all__ = [
    "Action",
    "BigEvent",
    "BrownOut",
    "Capacity",
    "CapturedRequest",
    "Chunks",
    "CleanEnd",
    "ContentLength",
    "ContentType",
    "Curve",
    "Delay",
    "Dialect",
    "Duplicate",
    "Endless",
    "ErrorEvent",
    "Fault",
    "Gzip",
    "HalfBody",
    "HangUp",
    "Latency",
    "LedgerEntry",
    "Malformed",
    "ManyDeltas",
    "Missing",
    "OddUsage",
    "OtherBody",
    "OutOfOrder",
    "Outage",
    "Pace",
    "Point",
    "Profile",
    "Ramp",
    "RateLimits",
    "Refusal",
    "RefusalKind",
    "Refuse",
    "Reset",
    "Simulator",
    "SlowHeaders",
    "Stall",
    "Status",
    "StopReason",
    "Turn",
    "WrongIndex",
]
