"""Where the results of a batch are fetched: here, and not past us at the upstream, whatever its documents say."""

import re
from collections.abc import Mapping

import msgspec

from holdfast.gateway.responding import Scope
from holdfast.wire.headers import from_raw, get

LINK, ROWS = "results_url", "data"
_HOST = re.compile(r"[0-9A-Za-z._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_ID = re.compile(r"\w{1,200}", re.ASCII)


def address_of(scope: Scope) -> str:
    """The address by which a caller came here, without a slash at its end; nothing where it does not say."""
    headers = from_raw(scope["headers"])
    host = get(headers, "host") or ""
    if not _HOST.fullmatch(host):
        return ""
    # Believed of anybody, for it only ever makes the caller's own link the safer one.
    is_secure = "https" in (scope.get("scheme"), get(headers, "x-forwarded-proto"))
    return f"{'https' if is_secure else 'http'}://{host}{scope.get('root_path', '')}"


def with_own_links(document: bytes, address: str) -> bytes:
    """A batch, or a list of them, whose results are fetched at `address`; the same bytes where there are none.

    The official SDK goes wherever the link leads: at the upstream nobody would settle what it finds.
    """
    try:
        found = _decode(document)
        if LINK in found:
            changed = _linked(found, address)
        elif ROWS in found:
            rows = _decode_rows(found[ROWS])
            changed = {**found, ROWS: _encoded([_linked(row, address) for row in rows])}
        else:
            return document
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return document
    return msgspec.json.encode(changed)


def _linked(batch: Mapping[str, msgspec.Raw], address: str) -> Mapping[str, msgspec.Raw]:
    link, name = (_text(batch.get(member)) for member in (LINK, "id"))
    if link is None or name is None or not _ID.fullmatch(name):
        return batch
    return {**batch, LINK: _encoded(f"{address}/v1/messages/batches/{name}/results")}


def _text(value: msgspec.Raw | None) -> str | None:
    return None if value is None else _decode_text(value)


def _encoded(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_rows = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_decode_text = msgspec.json.Decoder(str | None).decode
