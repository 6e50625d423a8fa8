"""Faults planted in the gates, each of which the naive reading must catch."""

import inspect

import pytest

from holdfast.policy import gate as machine
from holdfast.policy.gate import Gate, RampGate, gate_of
from tests.policy.test_gate_model import Make, walks

MUTANTS: dict[str, tuple[str, str]] = {
    "a late success opens": ("closing is None or permit.number != closing.probe", "closing is None"),
    "a call from an older closing closes again": (
        "if permit.generation == self._generation:\n",
        "if permit.generation <= self._generation:\n",
    ),
    "generations stand still": ("        self._generation += 1\n", ""),
    "older calls lengthen a closing": (
        "elif permit.generation == self._generation - 1 and",
        "elif permit.generation <= self._generation - 1 and",
    ),
    "calls limited together are not heard": (
        "closing.wish = max(closing.wish, now - closing.at + wish)",
        "closing.wish = closing.wish",
    ),
    "calls limited together are not cut at the longest wait": (
        "closing.until = self._until(closing)\n\n",
        "closing.until = closing.at + closing.wish * (1.0 + self.rules.jitter * closing.roll)\n\n",
    ),
    "calls limited together move the end of the month": (
        " - 1 and self.rules.probe_interval is None:",
        " - 1:",
    ),
    "the last word of calls limited together counts": ("max(closing.wish, now - ", "(now - "),
    "a permit settles twice": ("if self._live.pop(permit.number, None) is None:\n            return", ""),
    "a reported permit settles twice": ("if self._live.pop(permit.number, None) is not None:", "if True:"),
    "a lost probe holds its place for ever": (
        "self._closing.probe_at = now + self._probe_interval\n",
        "self._closing.probe_at = float('inf')\n",
    ),
    "probes come one after the other": (
        "self._closing.probe_at = now + self._probe_interval\n",
        "pass\n",
    ),
    "a refused probe makes room for the next": (
        "            closing.probe = None\n        elif",
        "            closing.probe, closing.probe_at = None, now\n        elif",
    ),
    "a probe that comes to nothing keeps its place": (
        "closing.probe, closing.probe_at = None, now",
        "closing.probe = None",
    ),
    "any probe that comes back opens": ("if outcome is Outcome.OK:", "if True:"),
    "the first content of a probe is not heard": ("self._hear(permit, Outcome.OK, now)", "pass"),
    "the first content gives the place back": (
        "if permit.number in self._live:\n",
        "if self._live.pop(permit.number, None):\n",
    ),
    "the first probe goes at once": ("probe_at=now + self._probe_interval", "probe_at=now"),
    "waits are not cut": ("min(self.rules.wait_max, closing.wish)", "closing.wish"),
    "waits are shortened": ("(1.0 + self.rules.jitter", "(1.0 - self.rules.jitter"),
    "time does not open": ("now >= self._closing.until - TOLERANCE", "self._closing.until < 0"),
    "a wish that is no time closes": ("isfinite(wait) and wait > 0", "True"),
    "an operator is not heard": ('self._open(now, "operator")', "pass"),
    "leases never end": (">= self.rules.permit_lease", "< 0"),
    "the limit admits one too many": ("len(self._live) >= limit", "len(self._live) > limit"),
    "the limit ignores what was in flight": ("min(limit, busy)", "limit"),
    "the limit ignores what it has grown to": (
        "limit = self.limit(now=now)\n        base",
        "limit = self._limit\n        base",
    ),
    "the call that reports is not counted": ("busy = len(self._live) + 1", "busy = len(self._live)"),
    "the limit falls to nothing": ("max(1, int(base", "max(0, int(base"),
    "the limit grows while closed": (" if self._closing is None else 0", ""),
    "the limit grows from the closing on": ("        self._clean_since = at\n", ""),
    "the limit never grows": ("// self._step))", "// self._step * 0))"),
    "the limit is never lifted": (">= GROWTH_MAX:", "< 0:"),
    "a word of yesterday is heard": ("if at < self._known_at:", "if at < 0:"),
    "a past closing is heard": ("wish is not None and wish > 0", "wish is not None"),
    "a peer closes a gate twice": ('"closed" and self._closing is None and', '"closed" and'),
    "a peer's word that a gate is open is not heard": ('self._open(now, "peer")', "return"),
    "a rejected key is closed for a while": (
        "wish = inf if self.rules.wait == inf else retry_after",
        "wish = retry_after",
    ),
    "the probe of a gate that a peer closed comes late": (
        "due = at + self._probe_interval",
        "due = now + self._probe_interval",
    ),
    "time alone counts as news": ('if reason != "time_passed":', "if True:"),
    "what was seen later than the peer is forgotten": ("        self._known_at = at\n\n", "\n"),
    "a peer's closing takes back what the limit had grown to": (
        "self._limit = self.limit(now=closing.at)",
        "pass",
    ),
}


def planted(fault: tuple[str, str]) -> Make:
    """The gates with a fault written into their source."""
    before, after = fault
    source = "\n".join(inspect.getsource(part) for part in (Gate, RampGate, gate_of))
    assert source.count(before) == 1, f"the fault no longer fits the source: {before!r}"
    namespace = dict(vars(machine))
    exec(compile(source.replace(before, after), "<mutant>", "exec"), namespace)
    make: Make = namespace["gate_of"]
    return make


@pytest.mark.parametrize("fault", MUTANTS)
@pytest.mark.requirement("breaker:mutants")
def test_the_naive_reading_catches_a_gate_where(fault: str) -> None:
    mutant = planted(MUTANTS[fault])
    with pytest.raises(AssertionError):
        walks(mutant, 400)
