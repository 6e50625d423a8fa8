"""Records as the columns of a table, for every store that has tables."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from holdfast.policy.holds import Hold, Limit, State
from holdfast.policy.story import Story
from holdfast.ports import AttemptRecord, CallRecord, Payer
from holdfast.ports.sessions import Owner
from holdfast.stores.draft import Filed
from holdfast.wire.usage import Usage

CALL_COLUMNS: tuple[str, ...] = (
    *("request_id", "at", "door", "key", "user", "run", "agent", "model", "served_model", "upstream"),
    *("stream", "end", "status", "error_code", "attempts", "stop_reason", "usage", "estimated"),
    *("cost_pico", "price_version", "duration_ms", "outcome", "decided_by", "blame"),
)
"""What a list of calls tells of each."""
KEPT_COLUMNS: tuple[str, ...] = (*CALL_COLUMNS, "tokens", "story")
"""What a store keeps of a call: also what it is found by, and its story."""
ATTEMPT_COLUMNS: tuple[str, ...] = (
    *("id", "request_id", "number", "at", "door", "key", "user", "run", "agent", "tags"),
    *("upstream", "model", "served_model", "state", "kind", "status", "usage", "estimated", "unbilled"),
    *("cost_pico", "price_version", "hold_pico", "presumed_pico", "charged_pico", "limits"),
    *("lease_until", "owner", "fence"),
)
"""What a store keeps of an attempt and of its hold; `hold_pico` and what follows is of no meaning without a hold."""

Columns = dict[str, Any]

decode_story = msgspec.json.Decoder(Story).decode


def moment(at: datetime) -> str:
    """A moment in UTC as text that sorts as time does."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def owner_text(owner: Owner) -> str:
    """The owner of a session as one text, which no other owner has."""
    return msgspec.json.encode([owner.key, owner.user]).decode()


def encode_usage(usage: Usage) -> str:
    """Usage as the API said it, in JSON."""
    return msgspec.json.encode(usage.as_mapping()).decode()


def decode_usage(text: str | bytes) -> Usage:
    """Usage from what `encode_usage` wrote."""
    return Usage.of(cast("Mapping[str, Any]", msgspec.json.decode(text)))


def encode_texts(texts: Mapping[str, str]) -> str:
    """Tags, or agents and their parents, in JSON."""
    return msgspec.json.encode(dict(texts)).decode()


def decode_texts(text: str | bytes) -> dict[str, str]:
    """Texts from what `encode_texts` wrote."""
    return msgspec.json.decode(text, type=dict[str, str])


def encode_limits(limits: Sequence[Limit]) -> str:
    """Limits in JSON."""
    return msgspec.json.encode(limits).decode()


def decode_limits(text: str | bytes) -> tuple[Limit, ...]:
    """Limits from what `encode_limits` wrote."""
    return msgspec.json.decode(text, type=tuple[Limit, ...])


def call_columns(entry: CallRecord) -> Columns:
    """A call as columns; its cost as text, for it may be longer than the integers of a database."""
    usage = entry.usage
    values: Columns = {column: getattr(entry, column) for column in CALL_COLUMNS}
    values["at"] = moment(entry.at)
    values["usage"] = encode_usage(usage)
    values["cost_pico"] = None if entry.cost_pico is None else str(entry.cost_pico)
    values["tokens"] = usage.prompt_tokens + usage.output_tokens
    values["story"] = None if entry.story is None else msgspec.json.encode(entry.story).decode()
    return values


def call_record(values: Mapping[str, Any]) -> CallRecord:
    """A call from its columns; a moment may be text or a `datetime`, a flag a number, and the story missing."""
    given = {column: values[column] for column in CALL_COLUMNS}
    given["at"] = _when(given["at"])
    given["usage"] = decode_usage(given["usage"])
    given["cost_pico"] = None if given["cost_pico"] is None else int(given["cost_pico"])
    given["stream"] = bool(given["stream"])
    given["estimated"] = bool(given["estimated"])
    story = values.get("story")
    return CallRecord(**given, story=None if story is None else decode_story(story))


def attempt_columns(filed: Filed) -> Columns:
    """An attempt and its hold as columns."""
    record, hold = filed.record, filed.hold
    return {
        "id": record.id,
        "request_id": record.request_id,
        "number": record.number,
        "at": moment(record.at),
        "door": record.payer.door,
        "key": record.payer.key,
        "user": record.payer.user,
        "run": record.payer.run,
        "agent": record.payer.agent,
        "tags": encode_texts(record.payer.tags),
        "upstream": record.upstream,
        "model": record.model,
        "served_model": record.served_model,
        "state": record.state,
        "kind": record.kind,
        "status": record.status,
        "usage": encode_usage(record.usage),
        "estimated": record.estimated,
        "unbilled": record.is_unbilled,
        "cost_pico": record.cost_pico,
        "price_version": record.price_version,
        "hold_pico": record.hold_pico,
        "presumed_pico": hold.presumed,
        "charged_pico": hold.charged,
        "limits": encode_limits(hold.limits),
        "lease_until": hold.lease_until,
        "owner": hold.owner,
        "fence": hold.fence,
    }


def filed_attempt(values: Mapping[str, Any]) -> Filed:
    """An attempt and its hold from their columns."""
    return Filed(record=attempt_record(values), hold=hold_record(values))


def attempt_record(values: Mapping[str, Any]) -> AttemptRecord:
    """An attempt from its columns; a moment may be text or a `datetime`, a flag a number."""
    return AttemptRecord(
        request_id=values["request_id"],
        number=values["number"],
        at=_when(values["at"]),
        payer=Payer(
            door=values["door"],
            key=values["key"],
            user=values["user"],
            run=values["run"],
            agent=values["agent"],
            tags=decode_texts(values["tags"]),
        ),
        upstream=values["upstream"],
        model=values["model"],
        served_model=values["served_model"],
        state=values["state"],
        kind=values["kind"],
        status=values["status"],
        usage=decode_usage(values["usage"]),
        estimated=bool(values["estimated"]),
        is_unbilled=bool(values["unbilled"]),
        cost_pico=values["cost_pico"],
        price_version=values["price_version"],
        hold_pico=values["hold_pico"],
    )


def hold_record(values: Mapping[str, Any]) -> Hold:
    """The hold of an attempt from its columns."""
    state: State = values["state"]
    return Hold(
        id=values["id"],
        limits=decode_limits(values["limits"]),
        amount=values["hold_pico"] or 0,
        presumed=values["presumed_pico"],
        charged=values["charged_pico"],
        state=state,
        lease_until=values["lease_until"],
        owner=values["owner"],
        fence=values["fence"],
    )


def _when(at: datetime | str) -> datetime:
    return datetime.fromisoformat(at) if isinstance(at, str) else at
