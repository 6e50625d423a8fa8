"""Standing orders: the budgets, approvals and stops of this moment, from the settings and from the register."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.events import Observer, OrderUnreadable, unobserved
from holdfast.language import Sentence
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.budget_document import decoded_budget
from holdfast.policy.pins import PIN
from holdfast.policy.recording import RECORDING, Recording
from holdfast.policy.recording import decoded as decoded_recording
from holdfast.policy.stops import Stop, decoded
from holdfast.ports import Entry
from holdfast.stores.stop_file import read_stops
from holdfast.stores.watch import Watch

STARTER = "starter"
"""The budget of a gateway that was given none; it makes way for any other."""
BUDGET, APPROVAL, STOP, KEY, SILENCE = "budget", "approval", "stop", "key", "silence"
T = TypeVar("T")
CONSOLE = "console"
"""Logins to the console that are used up or over, so that every worker knows it."""
KINDS = (BUDGET, APPROVAL, STOP, KEY, SILENCE, PIN, RECORDING, CONSOLE)


class Orders:
    """What an operator has laid down, parsed once per change; what cannot be read is announced and left out.

    An unreadable budget keeps its place as the last one that could be read, and so does a stop: a slip of the
    pen must not lift a limit.
    """

    def __init__(
        self, watch: Watch, budgets: Mapping[str, BudgetConfig], *, observe: Observer = unobserved
    ) -> None:
        self.watch = watch
        self._settings = dict(budgets)
        self._observe = observe
        self._budgets = self._settings
        self._approvals: frozenset[str] = frozenset()
        self._stops: tuple[Stop, ...] = ()
        self._here: tuple[Stop, ...] = ()
        self._recordings: tuple[Recording, ...] = ()
        watch.listen(self.read)

    def budgets(self) -> Mapping[str, BudgetConfig]:
        """All budgets by name; one of the register stands before one of the settings.

        Raises `StoreUnavailable` while the register has never been read: nobody knows then what it limits.
        """
        self.require_known()
        return self._budgets

    def require_known(self) -> None:
        """Raise `StoreUnavailable` until the register has been read for the first time."""
        if not self.watch.is_informed:
            raise StoreUnavailable(
                Sentence(
                    "The budgets and keys have not been read since this worker began. Bring the store back; "
                    "nothing else has to be done.",
                    ko="이 프로세스가 시작된 뒤로 예산과 키를 아직 읽지 못했습니다. 저장소를 복구하면 자동으로 이어집니다.",
                )
            )

    def approved(self, budget: str, window: str) -> bool:
        """Whether a person has let a window of a budget go on past its rung `ask`."""
        return approval_name(budget, window) in self._approvals

    def stops(self) -> tuple[Stop, ...]:
        """All stops, those that have expired among them."""
        return self._stops

    def recordings(self) -> tuple[Recording, ...]:
        """All recordings, those that are over among them; what cannot be read records nothing."""
        return self._recordings

    def read(self) -> None:
        """Read everything anew from what the watch knows."""
        known = self._budgets
        budgets = dict(self._settings)
        for entry in self.watch.entries(BUDGET):
            config = self._read(entry, decoded_budget) or known.get(entry.name)
            if config is not None:
                budgets[entry.name] = config
        if len(budgets) > 1:
            budgets.pop(STARTER, None)
        self._budgets = budgets
        self._approvals = frozenset(entry.name for entry in self.watch.entries(APPROVAL))
        stopped = {stop.name: stop for stop in self._stops}
        found = [self._read(entry, decoded) or stopped.get(entry.name) for entry in self.watch.entries(STOP)]
        recorded = [self._read(entry, decoded_recording) for entry in self.watch.entries(RECORDING)]
        self._recordings = tuple(one for one in recorded if one is not None)
        self._here = self._file()
        by_name = {stop.name: stop for stop in (*found, *self._here) if stop is not None}
        self._stops = tuple(by_name.values())

    def _file(self) -> tuple[Stop, ...]:
        try:
            return read_stops(self.watch.text)
        except ConfigError as error:
            self._observe(OrderUnreadable(kind=STOP, name="stop file", error=str(error)))
            return self._here

    def _read(self, entry: Entry, decode: Callable[[bytes], T]) -> T | None:
        try:
            return decode(entry.body)
        except ConfigError as error:
            self._observe(OrderUnreadable(kind=entry.kind, name=entry.name, error=str(error)))
            return None


def approval_name(budget: str, window: str) -> str:
    """What an approval is called in the register."""
    return f"{budget}|{window}"
