import pytest

from holdfast.parts import sightings as module
from holdfast.parts.sightings import Sighting, Sightings
from holdfast.policy.monitoring import Decision


def test_each_rule_is_counted_by_what_became_of_the_text() -> None:
    seen = Sightings()
    seen.count(Decision(action="block", score=0.9, rules=("b", "a")))
    seen.count(Decision(action="flag", score=0.6, rules=("a",)))
    seen.count(Decision(action="flag", score=0.9, rules=("a", "w"), would_block=("w", "detector")))
    seen.count(Decision(action="allow", score=0.1, rules=()))
    assert dict(seen.by_rule()) == {
        "a": Sighting(blocked=1, flagged=2),
        "b": Sighting(blocked=1),
        "detector": Sighting(would_have_blocked=1),
        "w": Sighting(would_have_blocked=1),
    }
    assert list(seen.by_rule()) == ["a", "b", "detector", "w"]


def test_the_rule_that_has_seen_nothing_for_the_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RULES", 2)
    seen = Sightings()
    for rule in ("a", "b", "a", "c"):
        seen.count(Decision(action="flag", score=0.6, rules=(rule,)))
    assert list(seen.by_rule()) == ["a", "c"]
