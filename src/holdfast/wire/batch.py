"""A view of a batch of Messages requests: the parts that are looked at one by one, and the whole put together again."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from holdfast.errors import MalformedRequest
from holdfast.language import Sentence

MOST = 100_000
"""Requests of one batch that the API takes."""


class _Item(msgspec.Struct, kw_only=True):
    custom_id: str
    params: msgspec.Raw


class _Batch(msgspec.Struct, kw_only=True):
    requests: list[_Item]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """One request of a batch: its name there, and its body as it was written."""

    custom_id: str
    params: bytes


def read_batch(body: bytes) -> tuple[BatchItem, ...]:
    """The requests of a batch, in their order.

    Raises `MalformedRequest` for what is no batch, or names a member twice: upstream might read the other one.
    """
    try:
        found = msgspec.json.decode(body, type=_Batch).requests
    except (ValueError, RecursionError) as error:
        why = str(error)[:200]
        raise MalformedRequest(
            Sentence(
                f"requests: this is no batch of Messages requests: {why}",
                ko=f"requests: Messages 요청의 배치가 아닙니다: {why}",
            )
        ) from error
    if len(found) > MOST:
        raise MalformedRequest(
            Sentence(
                f"requests: {len(found):,} are more than the {MOST:,} of one batch; send them in several",
                ko=f"requests: {len(found):,}개는 배치 하나의 한도 {MOST:,}개를 넘습니다. 여러 번에 나눠 보내세요",
            )
        )
    items = tuple(BatchItem(custom_id=one.custom_id, params=bytes(one.params)) for one in found)
    if not _is_plain(body, items) and _is_named_twice(body):
        raise MalformedRequest(
            Sentence(
                "requests: a member is named twice in one object; write it once",
                ko="requests: 한 객체에 같은 이름이 두 번 있습니다. 한 번만 적으세요",
            )
        )
    return items


def write_batch(items: Sequence[BatchItem]) -> bytes:
    """The body of a batch."""
    found = [_Item(custom_id=one.custom_id, params=msgspec.Raw(one.params)) for one in items]
    return msgspec.json.encode(_Batch(requests=found))


def _is_plain(body: bytes, items: Sequence[BatchItem]) -> bool:
    """Whether nothing stands around the requests but what was read, told by the quotes."""
    return _quotes(body) == 2 + sum(6 + _quotes(one.params) for one in items)


def _is_named_twice(body: bytes) -> bool:
    return _quotes(msgspec.json.encode(msgspec.json.decode(body))) != _quotes(body)


def _quotes(json: bytes) -> int:
    """How many quotes begin or end a text, those inside texts not counted."""
    if b"\\" in json:
        json = json.replace(b"\\\\", b"").replace(b'\\"', b"")
    return json.count(b'"')
