"""Calls that did not just go well: what of a filter can only mean those, so that no others need be looked through."""

from collections.abc import Callable, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from holdfast.policy.filter_fields import Op
from holdfast.policy.request_filter import Prefix, Term

TROUBLED = '"outcome" <> \'answered\' OR "status" <> 200 OR "blame" IS NOT NULL OR "error_code" IS NOT NULL'
"""As the index of theirs says it, to the letter: a database knows by that that it may use it."""
FINE = 200
"""The status of every other call."""

_COMPARED: Mapping[Op, Callable[[Any, Any], bool]] = {"=": eq, "!=": ne, ">": gt, ">=": ge, "<": lt, "<=": le}


def is_of_troubled(terms: Sequence[Term]) -> bool:
    """Whether all that these alternatives can mean are calls that did not just go well."""
    return all(_is_of_troubled(term) for term in terms)


def _is_of_troubled(term: Term) -> bool:
    match term.field, term.op:
        case (("outcome" | "end"), "="):
            return term.value != "answered" and isinstance(term.value, str)
        case (("outcome" | "end"), "!="):
            return term.value == "answered"
        case (("blame" | "code"), ("=" | "~")):
            return _names(term)
        case "status", ("=" | "!=" | ">" | ">=" | "<" | "<=") as op:
            return not _COMPARED[op](FINE, term.value)
        case _:
            return False


def _names(term: Term) -> bool:
    """Whether it names something: what is missing counts as an empty text."""
    return bool(term.value.start if isinstance(term.value, Prefix) else term.value)
