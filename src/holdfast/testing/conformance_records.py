"""What the contracts of stores are tried with: calls, attempts, limits and holds."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from holdfast.policy.holds import Denied, Hold, Limit, Reserve
from holdfast.ports import AttemptRecord, CallRecord, Payer, Store, attempt_id
from holdfast.wire.usage import Usage

AT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
DOLLAR = 10**12
"""In pico-dollars."""
NANO_DOLLAR = 10**9
"""A dollar in nano-dollars."""
LEASE = 60.0

PAYER = Payer(
    door="gateway",
    key='k\'ey "1"',
    user="김철수 🦊",
    run='run "1"; DROP TABLE attempts --',
    agent="ag'ent\\1",
    tags={"team's": '"결제" %s $1 ?', "": "\t\n"},
)
"""Quotes, backslashes, other scripts and placeholders in every text."""

StoreContract = Callable[[Store], Awaitable[None]]
"""Given a new, empty store; raises `AssertionError` where it is broken. Whoever opened the store closes it."""

PassTime = Callable[[float], Awaitable[None]]
"""Makes that many seconds pass by the clock that the leases of the store are kept by."""

LeaseContract = Callable[[Store, PassTime], Awaitable[None]]
"""As `StoreContract`, with a way to let time pass."""

DurableStoreContract = Callable[[Callable[[], Store]], Awaitable[None]]
"""Given a function that opens the same store again and again, empty the first time; closes what it opens."""


def a_record(request_id: str, *, cost_pico: int | None = 105_000_000, input_tokens: int = 10) -> CallRecord:
    """A call as a ledger is given it: 10 tokens in, 7 out, in Korean where a name may be."""
    return CallRecord(
        request_id=request_id,
        at=AT,
        door="gateway",
        key="local",
        user="김철수 🦊",
        run='run "1"; DROP TABLE calls --',
        agent=None,
        model="claude-sonnet-5-5",
        served_model="claude-sonnet-5-5",
        upstream="anthropic",
        stream=True,
        end="answered",
        status=200,
        error_code=None,
        attempts=2,
        stop_reason="end_turn",
        usage=Usage.of({"input_tokens": input_tokens, "output_tokens": 7, "note": "메모"}),
        estimated=False,
        cost_pico=cost_pico,
        price_version="2026-11-01",
        duration_ms=12.5,
    )


def an_attempt(
    request_id: str,
    number: int = 1,
    *,
    cost_pico: int | None = 105_000_000,
    at: datetime = AT,
    payer: Payer = PAYER,
    model: str = "claude-sonnet-5-5",
) -> AttemptRecord:
    """An attempt that was answered: 10 tokens in, 7 out."""
    return AttemptRecord(
        request_id=request_id,
        number=number,
        at=at,
        payer=payer,
        upstream="앤트로픽's",
        model=model,
        served_model=model,
        status=200,
        usage=Usage.of({"input_tokens": 10, "output_tokens": 7, "service_tier": "standard", "note": "메모"}),
        cost_pico=cost_pico,
        price_version="2026-11-01",
    )


def a_limit(
    window: str = "day",
    *,
    nano: int | None = 10 * NANO_DOLLAR,
    alerts: tuple[int, ...] = (),
    counted: tuple[str, ...] = (),
    is_full: bool = False,
) -> Limit:
    """A limit of 10 dollars on one window, if nothing else is said."""
    return Limit(
        budget=f"budget of {window}",
        subject="user 김철수's",
        window=window,
        counted=counted or (window,),
        nano=nano,
        alerts=alerts,
        resets_at=datetime(2026, 11, 23, tzinfo=UTC),
        is_full=is_full,
    )


async def hold(
    store: Store,
    request_id: str,
    *limits: Limit,
    amount: int = DOLLAR,
    presumed: int = DOLLAR // 4,
    lease: float = LEASE,
) -> Hold | Denied:
    """Take a hold for the first attempt of a call."""
    verb = Reserve(
        id=attempt_id(request_id, 1),
        limits=limits,
        amount=amount,
        presumed=presumed,
        lease=lease,
        owner="worker 'one'",
    )
    return await store.reserve(verb, an_attempt(request_id, cost_pico=0))


async def held_by(store: Store, request_id: str, *limits: Limit, amount: int = DOLLAR) -> Hold:
    """Take a hold that must be given."""
    taken = await hold(store, request_id, *limits, amount=amount)
    assert isinstance(taken, Hold), taken
    return taken


async def together(*verbs: Awaitable[object]) -> None:
    """Ask for all of them at once, so that a store may put them into one transaction."""
    await asyncio.gather(*verbs)


def states(attempts: tuple[AttemptRecord, ...]) -> list[str]:
    """The states of attempts, in their order."""
    return [attempt.state for attempt in attempts]
