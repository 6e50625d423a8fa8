"""The station that notices when a prompt changes where the cache of prompts still knew it, and what that costs."""

import asyncio
from dataclasses import dataclass

from holdfast.bookkeeping import Price
from holdfast.call import Call, Outcome
from holdfast.events import Observer, PromptCacheBusted, unobserved
from holdfast.parts.cache_bust import Conversations
from holdfast.pipeline import Proceed
from holdfast.policy.cache_bust import Bust, Sent, as_read, busted, step
from holdfast.policy.money import dollars, plain
from holdfast.wire.prefix import Prefix, read_prefix

AT_ONCE = 32 * 1024
"""Bytes of a body that are read in the event loop, in less than half a millisecond; longer ones go to a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheBustGuard:
    """Innermost guard: it sees a prompt as it is sent, and so what holdfast itself has changed in it.

    A call that does not ask to be cached costs nothing here. Of any other the blocks are read while its answer is
    on the way, and compared when it is over.
    """

    conversations: Conversations
    price: Price
    observe: Observer = unobserved

    async def __call__(self, call: Call) -> Proceed:
        if not call.request.cache_control:
            return Proceed(call)
        begun = self._begun(call.body)

        async def settle(outcome: Outcome) -> None:
            if _says_something(outcome):
                prefix = read_prefix(call.body, self.conversations.key) if begun is None else await begun
                self._compare(call, outcome, prefix)

        return Proceed(call, settle)

    def _begun(self, body: bytes) -> "asyncio.Future[Prefix] | None":
        """The reading of a long body, which goes on beside the upstream's."""
        if len(body) <= AT_ONCE:
            return None
        return asyncio.get_running_loop().run_in_executor(None, read_prefix, body, self.conversations.key)

    def _compare(self, call: Call, outcome: Outcome, prefix: Prefix) -> None:
        who = call.principal
        sent = Sent(
            prefix=prefix,
            model=outcome.asked_model or call.request.model,
            upstream=outcome.upstream or "",
            at=call.started,
            usage=outcome.usage,
        )
        before, after = self.conversations.follow((who.key, who.user, who.run, who.agent), sent)
        bust = None if before is None else busted(before, sent)
        lost = None if bust is None else self._lost(call, outcome, bust)
        call.tally.cache = step(after, outcome.usage, bust, lost)
        if bust is not None:
            self.observe(
                PromptCacheBusted(
                    request_id=call.request_id,
                    conversation=after.name,
                    block=bust.block,
                    lost_tokens=bust.lost_tokens,
                    cost=None if lost is None else plain(dollars(lost)),
                )
            )

    def _lost(self, call: Call, outcome: Outcome, bust: Bust) -> int | None:
        """Pico-dollars that the same answer would have cost less."""
        model = outcome.served_model or outcome.asked_model or call.request.model
        paid, fair = (
            self.price(model, as_read(outcome.usage, tokens), call.arrived)
            for tokens in (0, bust.lost_tokens)
        )
        return None if paid is None or fair is None else max(0, paid - fair)


def _says_something(outcome: Outcome) -> bool:
    """Whether an upstream has told what its cache did; an answer that is said again was told of before."""
    usage = outcome.usage
    told = usage.cache_read_input_tokens or usage.cache_creation_input_tokens or not outcome.estimated
    return outcome.label == "answered" and bool(told and usage.prompt_tokens)
