"""How a conversation is joined with the memory of its user: before each message, and when it has grown long."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from holdfast.agent.archive import Page
from holdfast.agent.exchange import Asking, Exchange, Plan
from holdfast.agent.memory import Memory
from holdfast.agent.notes import noted, notes_in, said_in, text_of
from holdfast.agent.summarizing import Summarizing
from holdfast.errors import StoreUnavailable
from holdfast.policy.summary import Said
from holdfast.policy.toolloop import Block
from holdfast.policy.trimming import Message
from holdfast.recollection import Digest, Fact, Maker

DIGESTS = 500
"""Conversations of one user whose summaries are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """Reminds a model of what is remembered, and sees to it that long conversations are summed up.

    An agent whose memory cannot be reached goes on without it.
    """

    memory: Memory

    async def reminded(self, exchange: Exchange, page: Page) -> Exchange:
        """The exchange with notes in front of its message; as it is where there is nothing new to note.

        Only this newest turn: what was shown before stays in the history as it was shown.
        """
        facts: Sequence[Fact] = ()
        digest: Digest | None = None
        with suppress(StoreUnavailable):
            shown = notes_in(page.window.history)
            digest = await self._lost(exchange, page, shown)
            owner = self.memory.owner_of(exchange.user)
            if owner.user:
                facts = await self.memory.recalled(owner, text_of(exchange.message), shown)
        if not facts and digest is None:
            return exchange
        message = exchange.message
        said: Sequence[Block] = [{"type": "text", "text": message}] if isinstance(message, str) else message
        return replace(exchange, message=[noted(facts, digest), *said])

    async def settled(
        self, exchange: Exchange, plan: Plan, messages: Sequence[Message], count: Callable[[Asking], None]
    ) -> None:
        """Sum a conversation up, all `messages` of it, when it has grown long enough since the last time."""
        memory = self.memory
        if memory.summary == "off" or len(messages) < memory.summary_after:
            return
        owner = memory.owner_of(exchange.user)
        with suppress(StoreUnavailable):
            before = await memory.kept.digest(owner, exchange.conversation)
            fresh = _since(before, messages)
            if len(fresh) < memory.summary_after:
                return
            summarizing = Summarizing(exchange=exchange, plan=plan, tokens=memory.summary_tokens, count=count)
            known = [] if before is None else [Said(who="summary", text=before.text)]
            text, made_by = await self._summed_up(summarizing, [*known, *said_in(fresh)])
            digest = Digest(
                conversation=exchange.conversation,
                text=text,
                made_by=made_by,
                covers=len(messages),
                at=memory.now(),
            )
            await memory.kept.keep(owner, digest, most=DIGESTS)

    async def _lost(self, exchange: Exchange, page: Page, shown: str) -> Digest | None:
        """The summary of a conversation whose beginning is not sent, unless the model is shown it already."""
        owner = self.memory.owner_of(exchange.user)
        digest = await self.memory.kept.digest(owner, exchange.conversation)
        if digest is None or not digest.text or digest.text in shown:
            return None
        is_lost = page.window.start > 0 or len(page.window.history) < digest.covers
        return digest if is_lost else None

    async def _summed_up(self, summarizing: Summarizing, said: Sequence[Said]) -> tuple[str, Maker]:
        text = await summarizing.by_model(said) if self.memory.summary == "model" else None
        if text is not None and not self.memory.is_suspicious(text):
            return text, "model"
        return summarizing.by_extract(said, self.memory.is_suspicious), "extract"


def _since(before: Digest | None, messages: Sequence[Message]) -> Sequence[Message]:
    """What was said since a summary was made; everything, where less is there than it was made of."""
    return messages if before is None or before.covers > len(messages) else messages[before.covers :]


def reminder_of(memory: Memory | None) -> Reminder | None:
    """The reminder of an agent that has a memory."""
    return None if memory is None else Reminder(memory=memory)
