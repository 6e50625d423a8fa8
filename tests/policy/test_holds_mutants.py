"""Faults planted in the machine of holds, each of which the naive ledger must catch."""

import inspect

import pytest

from holdfast.policy import holds as machine
from holdfast.policy.holds import Page
from tests.policy import test_holds_model as model
from tests.policy.test_holds_model import MakePage, walks

MUTANTS: dict[str, tuple[str, str]] = {
    "nano-dollars are rounded down": ("return -(-pico // NANO)", "return pico // NANO"),
    "a hold is taken without a look at the limits": (
        "if denied := self._denial(verb.limits, nano(verb.amount)):",
        "if denied := None:",
    ),
    "only the first limit is asked": (
        "for limit in limits if limit.nano is not None",
        "for limit in limits[:1] if limit.nano is not None",
    ),
    "a limit admits one nano-dollar too many": ("denied.remaining < wanted", "denied.remaining + 1 < wanted"),
    "a limit is never used up": ("denied.remaining < wanted", "denied.remaining <= wanted"),
    "what is promised does not count": (
        "reserved=sum(counter.reserved for counter in counted)",
        "reserved=0",
    ),
    "what is paid does not count": (
        "settled=sum(counter.settled for counter in counted),\n            reserved",
        "settled=0,\n            reserved",
    ),
    "only the part that is charged counts": (
        "counted = [self.counters.get(key, EMPTY) for key in limit.counted]\n        return Denied",
        "counted = [self.counters.get(limit.window, EMPTY)]\n        return Denied",
    ),
    "every part that is counted is charged": (
        "return tuple(limit.window for limit in self.limits)",
        "return tuple(key for limit in self.limits for key in limit.counted)",
    ),
    "the limit with most left is named": ("return min(short", "return max(short"),
    "a reserve that comes again promises again": (
        "case Reserve():\n                return hold",
        "case Reserve():\n                return self._reserve(verb, now)",
    ),
    "an end that comes again counts again": (
        'if hold.state in ("held", "expired") else hold',
        "if True else hold",
    ),
    "a late settle is not heard": (
        'if hold.state in ("held", "expired") else hold',
        'if hold.state == "held" else hold',
    ),
    "a late settle is added to the presumption": (" - nano(hold.charged)", ""),
    "a late settle gives the hold back twice": (
        'nano(hold.amount) if hold.state == "held" else 0',
        "nano(hold.amount)",
    ),
    "a settle keeps the hold": ("reserved=counter.reserved - reserved", "reserved=counter.reserved"),
    "a lease never ends": ("now < hold.lease_until", "True"),
    "a lease that runs is ended": ("or now < hold.lease_until", ""),
    "a lost worker is not fenced": ("fence=hold.fence + 1", "fence=hold.fence"),
    "a lost hold costs nothing": ('"expired", hold.presumed', '"expired", 0'),
    "a lost hold always costs all": ('"expired", hold.presumed', '"expired", hold.amount'),
    "no budget can have the whole hold": ("any(limit.is_full for limit in limits)", "False"),
    "every budget must want the whole hold": ("any(limit.is_full", "all(limit.is_full"),
    "a sign of life lowers the presumption": (
        "max(verb.presumed, _presumed(hold.limits, 0, hold.amount))",
        "verb.presumed",
    ),
    "a sign of life does not renew": ("presumed=presumed, lease_until=now + verb.lease", "presumed=presumed"),
    "a sign of life wakes the dead": (
        'if hold.state != "held":\n            return hold\n        presumed',
        "presumed",
    ),
    "a top-up needs no room": (
        "if denied := self._denial(hold.limits, more):",
        "if denied := None:",
    ),
    "a top-up needs room for all of it": (
        "self._denial(hold.limits, more)",
        "self._denial(hold.limits, nano(verb.amount))",
    ),
    "a top-up promises all of it once more": (
        "self._reserve_more(hold, more)",
        "self._reserve_more(hold, nano(verb.amount))",
    ),
    "a top-up takes money away": ("or more <= 0", ""),
    "a top-up is not presumed": ("_presumed(hold.limits, hold.presumed, verb.amount)", "hold.presumed"),
    "a hold that is over can be topped up": ('if hold.state != "held" or more <= 0', "if more <= 0"),
    "an alert comes with every payment": ("if known < threshold <= settled", "if threshold <= settled"),
    "an alert comes a nano-dollar late": ("known < threshold <= settled", "known < threshold < settled"),
    "a promise sets off an alert": (
        "settled = sum(counter.settled for counter in counted)\n        known",
        "settled = sum(counter.used for counter in counted)\n        known",
    ),
    "only the first of several alerts comes": (
        "for threshold in crossed\n",
        "for threshold in crossed[:1]\n",
    ),
    "an alert remembers its lowest threshold": ("alerted=max(crossed)", "alerted=min(crossed)"),
    "an alert knows its own part only": (
        "known = max(counter.alerted for counter in counted)",
        "known = self.counters[limit.window].alerted",
    ),
}


def planted(fault: tuple[str, str]) -> MakePage:
    """The page with a fault written into its source."""
    before, after = fault
    parts = [vars(machine)[name] for name in ("nano", "Hold", "Page", "_presumed")]
    source = "\n".join(inspect.getsource(part) for part in parts)
    assert source.count(before) == 1, f"the fault no longer fits the source: {before!r}"
    namespace = dict(vars(machine))
    exec(compile(source.replace(before, after), "<mutant>", "exec"), namespace)
    make: MakePage = namespace["Page"]
    return make


@pytest.mark.parametrize("fault", MUTANTS)
def test_the_naive_ledger_catches_a_machine_where(fault: str) -> None:
    mutant = planted(MUTANTS[fault])
    with pytest.raises(AssertionError):
        walks(mutant, 400)


def test_a_rolling_budget_that_only_looked_back_would_be_overspent_by_top_ups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Why `holdfast.policy.period` counts the parts after the one that is charged too."""
    monkeypatch.setattr(model, "AHEAD", 0)
    with pytest.raises(AssertionError):
        walks(Page, 400)
