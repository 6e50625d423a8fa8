"""A call that asks for less than it came for, and says so."""

from dataclasses import replace

from holdfast.call import Call
from holdfast.policy.budget import Rung
from holdfast.wire.edit import with_max_tokens, with_model

MODEL = "model"
SHORTER = "max-tokens="


def degraded(call: Call, rung: Rung) -> Call:
    """The call to a cheaper model, unless its thinking is bound to the one it names, and for a shorter answer."""
    request = call.request
    if rung.model is not None and rung.model != request.model and not request.has_thinking:
        call = replace(
            call,
            request=replace(request, model=rung.model),
            body=with_model(call.body, rung.model),
            degraded=(*(mark for mark in call.degraded if mark != MODEL), MODEL),
        )
    return call if rung.max_tokens is None else shortened(call, rung.max_tokens)


def shortened(call: Call, tokens: int) -> Call:
    """The call for an answer of so many tokens at most.

    Thinking with a budget keeps a token more than its budget: the API refuses less.
    """
    request = call.request
    tokens = max(tokens, request.demand.thinking_budget + 1)
    if request.max_tokens is not None and request.max_tokens <= tokens:
        return call
    return replace(
        call,
        request=replace(request, max_tokens=tokens),
        body=with_max_tokens(call.body, tokens),
        degraded=(*(mark for mark in call.degraded if not mark.startswith(SHORTER)), f"{SHORTER}{tokens}"),
    )
