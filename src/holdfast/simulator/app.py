"""The simulator: an ASGI application that answers as the Messages API does."""

from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field
from decimal import Decimal
from functools import partial

from holdfast.simulator.actions import Action
from holdfast.simulator.answers import answer
from holdfast.simulator.batch_items import worked_off
from holdfast.simulator.batches import Batches
from holdfast.simulator.capacity import Capacity, Service
from holdfast.simulator.capture import Capture, CapturedRequest
from holdfast.simulator.clock import Clock, RealClock
from holdfast.simulator.control import control
from holdfast.simulator.dice import Sequences
from holdfast.simulator.door import Door
from holdfast.simulator.exchange import CallerLeft, Exchange, Receive, Scope
from holdfast.simulator.faults import Fault, FaultScript
from holdfast.simulator.files import Files
from holdfast.simulator.latency import Latency
from holdfast.simulator.ledger import Ledger, LedgerEntry
from holdfast.simulator.limits import Limits, RateLimits
from holdfast.simulator.lines import Send
from holdfast.simulator.profile import Profile
from holdfast.simulator.prompt import PromptCache
from holdfast.simulator.refusals import RefusalKind
from holdfast.simulator.replies import Mode, Turn
from holdfast.simulator.script import Script
from holdfast.simulator.streaming import Chunking
from holdfast.simulator.threads import Threads


@dataclass(eq=False)
class Simulator:
    """A Messages API in one object: an ASGI callable for any server, and what it saw and billed in Python.

    What is guaranteed: with the same settings, each request gets the same id, text, pauses and luck whenever its key
    sends the same request for the same time (the n-th), in whatever order and however overlapping with others. What
    counts requests (`nth`, `every` and `times` of faults, scripted answers, limits, capacity) goes by the order in which
    requests have arrived whole; what goes by time (time windows, profiles, limits, cache) by `clock` alone.

    Attributes:
        seed: same seed, same requests: same ids, same text, same timing.
        time_scale: what all waiting is multiplied by; 0 answers at once.
        lenient: let unknown top-level fields pass.
        threads: remember conversations for `thread`; else it is refused as where inference hooks are in use.
        bad_keys: API keys that are answered with 401.
        keys: API keys that are refused for a reason, such as `{"k": "organization_on_hold"}`; may change at any time.
        chunking: how texts are cut into deltas: at `random` places, after each `word`, or about each `token`.
        latency: how long answers take before scaling.
        clock: real time, a `holdfast.testing.FakeClock`, or the clock of an event loop in virtual time.
        accounts: whose each API key is; thoughts of Haiku 5.5 hold for one account only. Keys not named share one.
        mode: what to say where the request does not decide it: `canned`, `echo` or `template`.
        template: what to say in the mode `template`; `{text}` and `{subject}` stand for the question.
        obedient: also follow instructions found in the results of tools, as a model does that falls for an injection.
        limits: enforce rate limits per key and model; `None` only reports generous ones.
        capacity: how many requests can be worked on at once; above that they wait or get 529. `None` bears all.
        spend_limit: dollars per key, after which it gets 429 `enforced_spend_limit_reached`.
        profile: outages and brown-outs over time.
        keep: how many requests and bills are kept.
    """

    _: KW_ONLY
    seed: int = 0
    time_scale: float = 1.0
    lenient: bool = False
    threads: bool = False
    bad_keys: Collection[str] = ()
    keys: Mapping[str, RefusalKind] = field(default_factory=dict[str, RefusalKind])
    accounts: Mapping[str, str] = field(default_factory=dict[str, str])
    chunking: Chunking = "random"
    latency: Latency = field(default_factory=Latency)
    clock: Clock = field(default_factory=RealClock)
    mode: Mode = "canned"
    template: str = ""
    obedient: bool = False
    limits: RateLimits | None = None
    capacity: Capacity | None = None
    spend_limit: Decimal | None = None
    profile: Profile = ()
    keep: int = 10_000

    def __post_init__(self) -> None:
        self.faults = FaultScript()
        self.script = Script()
        self.capture = Capture(keep=self.keep)
        self.bills = Ledger(keep=self.keep)
        self.cache = PromptCache()
        self.standing = Limits()
        self.conversations = Threads()
        self.files = Files(self.clock.now)
        self.sequences = Sequences(self.keep)
        self.service = Service()
        self.door = Door(self.clock)
        self.batches = Batches(self.clock, partial(worked_off, self))
        self.started = self.clock.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other kinds of ASGI scope are not for us."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, (receive, send), self.clock, self.capture)
        if exchange.in_process and self.door.is_shut:
            await exchange.refuse()
        try:
            await exchange.read()
            await (control if exchange.path.startswith("/__sim") else answer)(self, exchange)
        except CallerLeft:
            pass
        finally:
            exchange.ended("disconnected")
            await exchange.aclose()

    @property
    def requests(self) -> tuple[CapturedRequest, ...]:
        """The requests that arrived, oldest first, without those to `/__sim`."""
        return self.capture.all()

    @property
    def ledger(self) -> tuple[LedgerEntry, ...]:
        """What was really billed, oldest first; errors are free and have no entry."""
        self.batches.catch_up()
        return self.bills.all()

    @property
    def billed(self) -> Decimal:
        """The sum of all bills, in dollars."""
        self.batches.catch_up()
        return self.bills.total

    @property
    def elapsed(self) -> float:
        """Seconds since the start or the last reset, which time windows and profiles go by."""
        return self.clock.monotonic() - self.started

    def fault(self, *faults: Fault | Action) -> None:
        """Append faults to the script; a bare action hits the next request to `/v1/messages`."""
        self.faults.add(item if isinstance(item, Fault) else Fault(item) for item in faults)

    def say(self, *turns: Turn | str, to: str = "") -> None:
        """Script the next answers, in order; after the last one the simulator answers by itself again.

        With `to` they are for those conversations alone whose first question holds these words.
        """
        self.script.add(turns, to)

    def refuse(self, seconds: float | None = None) -> None:
        """Refuse connections for `seconds`, or until `accept`: servers close their listeners and idle connections.

        In process, a call is a `ConnectionRefusedError`. What is being answered is answered to its end.
        """
        self.door.shut(seconds)

    def accept(self) -> None:
        """Accept connections again, at the same address."""
        self.door.open()

    def reset(self) -> None:
        """Forget faults, scripts, requests, bills, cache and sequences; the settings stay, and time begins anew."""
        for part in (
            self.faults,
            self.script,
            self.capture,
            self.bills,
            self.cache,
            self.standing,
            self.sequences,
            self.batches,
            self.conversations,
            self.files,
        ):
            part.clear()
        self.accept()
        self.started = self.clock.monotonic()
