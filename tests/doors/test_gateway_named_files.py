"""Files that a request names: what another key has made is not read by way of a message, and lists do not tell of it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from holdfast.call import Principal
from holdfast.gateway.identity import Visitor
from holdfast.gateway.ownership import Owners
from holdfast.gateway.resources import resource
from holdfast.operations.desk import Desk
from holdfast.operations.keys import NewKey, create, keys
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import StoreConfig
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.open import open_store
from tests.doors.running import RunningGateway, eventually, quick_settings, serving
from tests.doors.talking import Heard, ask

T = TypeVar("T")
FORM = (
    b'--xyz\r\ncontent-disposition: form-data; name="file"; filename="f.txt"\r\n'
    b"content-type: text/plain\r\n\r\nthe secret of one\r\n--xyz--\r\n"
)
FILES = {"anthropic-beta": "files-api-2025-04-14"}


@pytest.fixture
def gateway(
    simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningGateway]:
    monkeypatch.setenv("HOLDFAST_PEPPER", "a-pepper-for-the-tests")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-the-house")
    settings = replace(
        quick_settings(simulator),
        store=StoreConfig(url=f"sqlite:///{tmp_path / 'holdfast.db'}"),
        upstreams={"simulator": UpstreamConfig(url=simulator.url, key_env="ANTHROPIC_API_KEY")},
    )
    with serving(simulator, settings) as running:
        yield running


def operate(gateway: RunningGateway, verb: Callable[[Desk], Coroutine[Any, Any, T]]) -> T:
    async def work() -> T:
        store = open_store(gateway.hold.settings.store_url)
        try:
            return await verb(Desk(store=store, settings=gateway.hold.settings))
        finally:
            await store.aclose()

    return asyncio.run(work())


def issue(gateway: RunningGateway, name: str) -> str:
    secret = operate(gateway, lambda desk: create(desk, NewKey(name=name))).secret
    eventually(lambda: listed(gateway, "local").status == 401)
    eventually(lambda: listed(gateway, secret).status == 200)
    return secret


def listed(gateway: RunningGateway, key: str) -> Heard:
    return ask(gateway.url, method="GET", path="/v1/files", headers={"x-api-key": key, **FILES})


def made(gateway: RunningGateway, key: str) -> str:
    kind = {"content-type": "multipart/form-data; boundary=xyz"}
    heard = ask(gateway.url, FORM, path="/v1/files", headers={"x-api-key": key, **FILES, **kind})
    assert heard.status == 200, heard.body
    return str(heard.json["id"])


def message(written: str) -> bytes:
    return (
        b'{"model":"claude-haiku-5-5","max_tokens":50,"messages":[{"role":"user","content":[{"type":"document",'
        b'"source":{"type":"file","file_id":"' + written.encode() + b'"}}]}]}'
    )


@pytest.mark.requirement("gateway:tenants-named")
def test_a_message_cannot_read_the_file_of_another_key(gateway: RunningGateway) -> None:
    one, two = issue(gateway, "one"), issue(gateway, "two")
    file = made(gateway, one)
    before = len(gateway.simulator.simulator.requests)
    for written in (file, f"\\u0066{file[1:]}"):
        heard = ask(gateway.url, message(written), headers={"x-api-key": two, **FILES})
        assert (heard.status, heard.error_type) == (404, "not_found_error")
    batch = b'{"requests":[{"custom_id":"a","params":' + message(file) + b"}]}"
    heard = ask(gateway.url, batch, path="/v1/messages/batches", headers={"x-api-key": two, **FILES})
    assert (heard.status, heard.error_type) == (404, "not_found_error")
    assert len(gateway.simulator.simulator.requests) == before
    assert ask(gateway.url, message(file), headers={"x-api-key": one, **FILES}).status == 200


def test_a_list_does_not_tell_the_ids_of_what_others_made(gateway: RunningGateway) -> None:
    one, two = issue(gateway, "one"), issue(gateway, "two")
    file = made(gateway, one)
    assert file.encode() not in listed(gateway, two).body
    seen = listed(gateway, one).json
    assert (seen["first_id"], seen["last_id"]) == (file, file)


def test_a_page_of_others_is_turned_by_what_the_upstream_says(gateway: RunningGateway) -> None:
    _ = issue(gateway, "one")

    async def seen(desk: Desk) -> tuple[bytes, bytes, bytes]:
        (known,) = await keys(desk)
        visitor = Visitor(principal=Principal(door="gateway", key="one"), headers=(), record=known.record)
        place, owners = resource("/v1/files"), Owners(desk.store)
        assert place is not None
        await owners.made(visitor, place, b'{"id":"file_mine"}')

        async def page(rows: list[str], **more: object) -> bytes:
            document = {
                "data": [{"id": row} for row in rows],
                "first_id": rows[0],
                "last_id": rows[-1],
                **more,
            }
            return await owners.own(visitor, place, msgspec.json.encode(document))

        return (
            await page(["file_a", "file_b"], has_more=True),
            await page(["file_a", "file_mine", "file_b"], has_more=True),
            await page(["file_a", "file_b"], has_more=False),
        )

    theirs, mixed, last = (msgspec.json.decode(page) for page in operate(gateway, seen))
    assert theirs == {"data": [], "first_id": "file_a", "last_id": "file_b", "has_more": True}
    assert (mixed["first_id"], mixed["last_id"], mixed["data"]) == (
        "file_mine",
        "file_mine",
        [{"id": "file_mine"}],
    )
    assert (last["first_id"], last["last_id"], last["data"]) == (None, None, [])
