"""What an attempt is charged with when the upstream never said what it used."""

from holdfast.policy.failure import Charge, Failure
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.usage import Usage

BYTES_PER_TOKEN = 2
"""Few enough that no language of the product is reckoned too low: English has about 4, Korean 3."""
TOOLS_OVERHEAD = 700
"""Tokens that the API adds for tools, at most, beside their definitions."""
IMAGE_TOKENS = 5_000
"""Tokens of the largest image."""


def input_bound(request: MessagesRequest) -> int:
    """Tokens that a request has at most, reckoned from its size alone."""
    tools = TOOLS_OVERHEAD if request.tool_names else 0
    return -(-request.text_bytes // BYTES_PER_TOKEN) + tools + IMAGE_TOKENS * request.image_count


def used_in_vain(charge: Charge, seen: Usage | None, request: MessagesRequest) -> tuple[Usage, bool] | None:
    """What to charge a failed attempt with and whether that is an estimate; `None` for nothing at all.

    `seen` is what the upstream said, `None` if it never began a message. What it said counts; a request that
    it may have worked on without saying so is presumed to have cost its input, and after a 200 that could not
    be read to its end also all output asked for: the budget must never be short.
    """
    if charge == "release" or (charge == "settle_said" and seen is None):
        return None
    known = seen or Usage()
    if charge in ("settle_start", "settle_said", "settle_partial") and known.prompt_tokens:
        return known, charge == "settle_partial"
    whole = charge == "presume_full"
    output = max(known.output_tokens, request.max_tokens or 0) if whole else known.output_tokens
    presumed = Usage(input_tokens=input_bound(request), output_tokens=output)
    return (known.with_output(output) if known.prompt_tokens else presumed), True


def charge_of(charge: Charge, failure: Failure, *, streamed: bool) -> Charge:
    """What an attempt is charged by, knowing what was asked for.

    A plain answer comes when it is written to its end: what was given up in silence may be paid for whole.
    """
    silent = charge == "presume_input" and failure.kind == "first_byte_timeout"
    return "presume_full" if silent and not streamed else charge
