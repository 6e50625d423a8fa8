"""Drills: named incidents played against the user's own settings, with the simulator as every upstream."""

from holdfast.drill.asking import Ask, Question
from holdfast.drill.incidents import incident, incidents
from holdfast.drill.playing import drill
from holdfast.drill.scenario import Scenario, read_scenario
from holdfast.drill.sheet import Line, Sheet

__all__ = [
    "Ask",
    "Line",
    "Question",
    "Scenario",
    "Sheet",
    "drill",
    "incident",
    "incidents",
    "read_scenario",
]
