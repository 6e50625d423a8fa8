"""What is remembered of a user, as it is shown and handed out."""

from datetime import datetime

import msgspec

from holdfast.recollection import Digest, Fact, Owner, Recollections


def fact_facts(fact: Fact) -> dict[str, object]:
    """A fact as JSON has it."""
    return {
        "kind": "fact",
        "id": fact.id,
        "text": fact.text,
        "trust": fact.trust,
        "source": fact.source,
        "conversation": fact.conversation,
        "at": fact.at,
        "used": fact.used,
        "uses": fact.uses,
        "expires": fact.expires,
        "quarantined": fact.quarantined,
    }


def digest_facts(digest: Digest) -> dict[str, object]:
    """A summary as JSON has it."""
    return {
        "kind": "summary",
        "conversation": digest.conversation,
        "text": digest.text,
        "made_by": digest.made_by,
        "at": digest.at,
    }


async def everything(store: Recollections, owner: Owner, now: datetime) -> list[dict[str, object]]:
    """All that is kept about a user, facts before summaries, oldest first. Raises `StoreUnavailable`."""
    facts = [fact_facts(fact) for fact in await store.facts(owner, now=now)]
    return [*facts, *(digest_facts(digest) for digest in await store.digests(owner))]


async def exported(store: Recollections, owner: Owner, now: datetime) -> str:
    """The same as JSON, one object a line. Raises `StoreUnavailable`."""
    rows = await everything(store, owner, now)
    return "".join(f"{msgspec.json.encode(row).decode()}\n" for row in rows)
