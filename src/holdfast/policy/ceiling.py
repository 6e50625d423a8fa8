"""The most that a request can be billed, known before it is sent.

What the request does not say is bounded by what Anthropic documents, else by a figure chosen here:

- The prompt is reckoned from its size (`holdfast.policy.estimate`), or is what the API counted. All of it is
  taken at the dearest kind of token that it can become, by the dearest card that its length can reach.
- Each use of a server tool makes the model read the prompt once more, with the results of all uses before it.
  The API makes at most ten such turns before it pauses (stop reasons page), and no prompt outgrows the window.
- An advisor reads what the model reads and is billed at its own price. So is every model that a request names
  to stand in when the first one declines, with all that the first one would have been asked to do.
- A compaction reads the prompt once more and writes a summary, beside the output that was asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from holdfast.policy.charge import scaled
from holdfast.policy.estimate import input_bound
from holdfast.policy.price_table import Card, PricedModel, PriceTable
from holdfast.policy.pricing import day_of, dearest_in_service, resolve
from holdfast.wire.demand import Demand, ServerTool
from holdfast.wire.messages import MessagesRequest

LOOP_TURNS = 10
"""Turns of server tools before the API answers `pause_turn` (stop reasons page)."""
UNCAPPED_USES = LOOP_TURNS
"""Uses of a server tool whose `max_uses` is left out: one in each turn."""
RESULT_TOKENS = 25_000
"""What one use of a server tool adds to the prompt: a web search, a large page, or the output of a program."""
FETCHED_TOKENS = 125_000
"""What a fetched document adds where no `max_content_tokens` keeps it down (a 500 kB PDF, web fetch page)."""
FETCH_SLACK = 2
"""`max_content_tokens` is approximate."""
ADVICE_TOKENS = 10_000
"""Output of one turn of an advisor without `max_tokens`; 1,800 with thinking are usual (advisor page)."""
SUMMARY_TOKENS = 20_000
"""Output of a compaction, where `max_tokens` is less."""
INSTRUCTION_TOKENS = 2_000
"""What the API itself says to an advisor, or to a model that is to write a summary."""
TYPED_TOOL_TOKENS = 3_000
"""The definition of a tool that the body only names, such as `web_search_20260209`."""
MCP_TOKENS = 50_000
"""The definitions of the tools of one MCP server, which the API fetches."""
PDF_PAGES = 600
"""Most pages of the PDFs of a request (PDF support page)."""
PDF_PAGE_BYTES = 200
"""Fewer make no page."""
PDF_PAGE_TOKENS = 5_000
"""A page is billed as its text and as an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """Whole pico-dollars: no answer to the request is billed higher than `pico`."""

    pico: int
    presumed_pico: int
    """The price of the prompt alone: what an attempt of unknown end has cost at least, as far as one can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hop:
    """One model that may be asked to answer."""

    model: PricedModel
    prompt: int
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sampling:
    """Iterations of one model: all prompts together, the longest that decides about the card, all output.

    Where the answer does not say which of several models it was, the dearest counts.
    """

    models: tuple[PricedModel, ...]
    prompt: int
    longest: int
    output: int


def ceiling(
    table: PriceTable,
    model: str,
    request: MessagesRequest,
    *,
    at: datetime | date,
    max_tokens: int | None = None,
    input_tokens: int | None = None,
) -> Ceiling:
    """The most that an answer of `model` to a request can be billed.

    `max_tokens` replaces the request's; where neither is given it is the most that the model writes.
    `input_tokens` is the prompt as `count_tokens` counted it, in place of the estimate. Raises `UnknownModel`
    for a model, an advisor or a stand-in without a price, unless the table assumes the dearest.
    """
    demand, day = request.demand, day_of(at)
    first = _hop(table, request, resolve(table, model, day)[0], max_tokens)
    if input_tokens is not None:
        first = _Hop(model=first.model, prompt=input_tokens, output=first.output)
    hops = [first, *_substitutes(table, request, day, max_tokens)]
    samplings = [sampling for hop in hops for sampling in _samplings(table, request, hop, day)]
    samplings += [_summaries(table, demand, hop, hops) for hop in hops]
    searches = sum(_uses(tool) for tool in demand.server_tools if tool.kind == "search")
    presumed = _Sampling(models=(first.model,), prompt=first.prompt, longest=first.prompt, output=0)
    return Ceiling(
        pico=sum(_pico(sampling, demand, day) for sampling in samplings)
        + len(hops) * searches * table.web_search,
        presumed_pico=_pico(presumed, demand, day),
    )


def affordable_max_tokens(
    table: PriceTable,
    model: str,
    request: MessagesRequest,
    pico: int,
    *,
    at: datetime | date,
    input_tokens: int | None = None,
) -> int | None:
    """The largest `max_tokens`, up to what was asked for, whose ceiling fits into `pico`; `None` for none.

    Thinking with a budget keeps a token more than its budget, because the API refuses less.
    """

    def fits(max_tokens: int) -> bool:
        bound = ceiling(table, model, request, at=at, max_tokens=max_tokens, input_tokens=input_tokens)
        return bound.pico <= pico

    asked = request.max_tokens
    high = largest_output(table, resolve(table, model, day_of(at))[0]) if asked is None else asked
    low = min(high, request.demand.thinking_budget + 1)
    if not fits(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def largest_output(table: PriceTable, model: PricedModel) -> int:
    """The most tokens that a model writes; of one whose limits are not known, the most that any does."""
    known = model.facts.max_output_tokens
    return _most(table, "max_output_tokens") if known is None else known


def _window(table: PriceTable, model: PricedModel) -> int:
    known = model.facts.context_window
    return _most(table, "context_window") if known is None else known


def _most(table: PriceTable, fact: str) -> int:
    return max((getattr(model.facts, fact) or 0 for model in table.models.values()), default=0)


def _hop(table: PriceTable, request: MessagesRequest, model: PricedModel, max_tokens: int | None) -> _Hop:
    asked = request.max_tokens if max_tokens is None else max_tokens
    return _Hop(
        model=model,
        prompt=_prompt(request, _window(table, model)),
        output=largest_output(table, model) if asked is None else asked,
    )


def _substitutes(
    table: PriceTable, request: MessagesRequest, day: date, max_tokens: int | None
) -> Iterator[_Hop]:
    for stand_in in request.demand.substitutes:
        if stand_in.model is None:
            model = dearest_in_service(table, "default", day)
        else:
            model, _ = resolve(table, stand_in.model, day)
        asked = max_tokens if stand_in.max_tokens is None else stand_in.max_tokens
        yield _hop(table, request, model, asked)


def _prompt(request: MessagesRequest, window: int) -> int:
    """Tokens of the first prompt; what the body only points to fills the window at most."""
    shown, demand = input_bound(request), request.demand
    if request.thread:
        return max(shown, window)
    named = demand.typed_tools * TYPED_TOOL_TOKENS + demand.mcp_servers * MCP_TOKENS
    return max(shown, min(window, shown + named + _pages(demand) * PDF_PAGE_TOKENS))


def _pages(demand: Demand) -> int:
    pages = [PDF_PAGES if size is None else 1 + size // PDF_PAGE_BYTES for size in demand.pdf_sizes]
    return min(PDF_PAGES, sum(pages))


def _samplings(table: PriceTable, request: MessagesRequest, hop: _Hop, day: date) -> Iterator[_Sampling]:
    demand = request.demand
    prompts = _prompts(demand, hop, max(hop.prompt, _window(table, hop.model)))
    # An answer that does not list its iterations is billed as one: then all prompts make its length.
    total = sum(prompts)
    yield _Sampling(models=(hop.model,), prompt=total, longest=total, output=hop.output)
    # Another model counts the same text by its own tokens: of a counted prompt take the estimate again.
    read = [max(prompt, input_bound(request)) for prompt in prompts]
    for tool in demand.server_tools:
        if tool.kind == "advisor":
            yield _advice(tool, resolve(table, tool.model, day)[0], read, hop)


def _summaries(table: PriceTable, demand: Demand, hop: _Hop, hops: list[_Hop]) -> _Sampling:
    """The compactions of one hop: each prompt that is long enough is read once more."""
    prompts = _prompts(demand, hop, max(hop.prompt, _window(table, hop.model)))
    least = demand.compacts_from
    long = [prompt + INSTRUCTION_TOKENS for prompt in prompts if least is not None and prompt >= least]
    return _Sampling(
        models=tuple(every.model for every in hops),
        prompt=sum(long),
        longest=max(long, default=0),
        output=max(hop.output, SUMMARY_TOKENS) * len(long),
    )


def _advice(tool: ServerTool, model: PricedModel, prompts: list[int], hop: _Hop) -> _Sampling:
    """The turns of an advisor: each reads what the model has read, and what it wrote since."""
    uses = _uses(tool)
    # At worst it is asked where the prompts are longest, and in one turn as often as it likes.
    read = sorted(prompts, reverse=True)[:uses]
    read_again = (uses - len(read)) * max(prompts)
    written = hop.output + INSTRUCTION_TOKENS
    return _Sampling(
        models=(model,),
        prompt=sum(read) + read_again + uses * written,
        longest=max(prompts) + written,
        output=uses * _advice_tokens(tool),
    )


def _prompts(demand: Demand, hop: _Hop, most: int) -> list[int]:
    """The prompts of a loop of server tools, each longer by what the uses before it found."""
    tools = demand.server_tools or (ServerTool(),) * min(1, demand.mcp_servers)
    uses = sum(_uses(tool) for tool in tools)
    turns = min(uses, LOOP_TURNS)
    found = max((_result(tool) for tool in tools), default=0)
    # The worst order: every turn has one use at least, and all that are left over come in the first.
    first = uses - turns + 1
    return [
        hop.prompt,
        *(min(most, hop.prompt + hop.output + found * (first + turn)) for turn in range(turns)),
    ]


def _uses(tool: ServerTool) -> int:
    return UNCAPPED_USES if tool.max_uses is None else tool.max_uses


def _result(tool: ServerTool) -> int:
    """What one use adds to the prompt."""
    if tool.kind == "advisor":
        return _advice_tokens(tool)
    if tool.kind != "fetch":
        return RESULT_TOKENS
    limit = tool.max_content_tokens
    return FETCHED_TOKENS if limit is None else max(RESULT_TOKENS, FETCH_SLACK * limit)


def _advice_tokens(tool: ServerTool) -> int:
    return ADVICE_TOKENS if tool.max_tokens is None else tool.max_tokens


def _pico(sampling: _Sampling, demand: Demand, day: date) -> int:
    return max(_priced(sampling, model, demand, day) for model in sampling.models)


def _priced(sampling: _Sampling, model: PricedModel, demand: Demand, day: date) -> int:
    period = model.period(day)
    cards = [period.standard, *(card for limit, card in period.bands if sampling.longest > limit)]
    if demand.fast and (quick := period.fast_on(day)):
        cards.append(quick)
    scale = model.scales.pick(batch=False, us=demand.geo in (None, "us"))
    return sampling.prompt * scaled(max(_dearest_input(card, demand) for card in cards), scale) + (
        sampling.output * scaled(max(card.output for card in cards), scale)
    )


def _dearest_input(card: Card, demand: Demand) -> int:
    kinds = [card.input, card.cache_read]
    if demand.cache != "none":
        kinds.append(card.cache_write_5m)
    if demand.cache == "1h":
        kinds.append(card.cache_write_1h)
    return max(kinds)
