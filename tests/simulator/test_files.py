"""Files: uploaded as a form, listed, named in messages, deleted, expired."""

import base64
from datetime import timedelta

import anthropic
import pytest

from holdfast.simulator import Simulator
from holdfast.simulator.multipart import parts
from holdfast.simulator.problems import ApiError
from holdfast.simulator.server import RunningSimulator
from holdfast.testing import FakeClock
from tests.simulator.conftest import Api, Json, ask

PDF = b"%PDF-1.4 /Type /Page"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def office(clock: FakeClock) -> Api:
    return Api(Simulator(time_scale=0, clock=clock))


async def uploaded(
    api: Api, data: bytes = b"Hello file", name: str = "a.txt", kind: str = "text/plain", **fields: str
) -> Json:
    response = await api.call("POST", "/v1/files", files={"file": (name, data, kind)}, data=fields)
    assert response.status_code == 200, response.text
    return dict(response.json())


def about(file: Json) -> list[Json]:
    block = {"type": "document", "source": {"type": "file", "file_id": file["id"]}}
    return [{"role": "user", "content": [block, {"type": "text", "text": "What does it say?"}]}]


async def test_an_upload_is_described_and_found_again(office: Api) -> None:
    file = await uploaded(office)
    assert (file["filename"], file["mime_type"], file["size_bytes"]) == ("a.txt", "text/plain", 10)
    assert file["id"].startswith("file_")
    assert (await office.call("GET", f"/v1/files/{file['id']}")).json() == file


async def test_the_list_is_newest_first_and_of_one_s_own(office: Api) -> None:
    first, second = await uploaded(office), await uploaded(office, name="b.txt")
    listed = (await office.call("GET", "/v1/files")).json()
    assert [one["id"] for one in listed["data"]] == [second["id"], first["id"]]
    others = await office.call("GET", "/v1/files", headers={"x-api-key": "other"})
    assert others.json()["data"] == []


async def test_a_file_in_a_message_counts_as_its_content(office: Api) -> None:
    file = await uploaded(office, b"word " * 400)
    inline = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "word " * 400},
    }
    text = {"type": "text", "text": "What does it say?"}
    body = ask(messages=[{"role": "user", "content": [inline, text]}])
    assert await office.tokens(ask(messages=about(file))) == await office.tokens(body)


async def test_a_pdf_and_an_image_stand_in_as_their_bytes(office: Api) -> None:
    for kind in ("application/pdf", "image/png"):
        file = await uploaded(office, PDF, "a.bin", kind)
        name = "document" if kind == "application/pdf" else "image"
        raw = {"type": "base64", "media_type": kind, "data": base64.b64encode(PDF).decode()}
        sent = [{"type": name, "source": {"type": "file", "file_id": file["id"]}}]
        written = [{"type": name, "source": raw}]
        asked, plain = (ask(messages=[{"role": "user", "content": what}]) for what in (sent, written))
        assert await office.tokens(asked) == await office.tokens(plain)


async def test_a_file_within_the_result_of_a_tool_is_found(office: Api) -> None:
    block = {"type": "document", "source": {"type": "file", "file_id": "file_nothing"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
    status, kind, message = await office.refusal(ask(messages=[{"role": "user", "content": [result]}]))
    assert (status, kind, message) == (404, "not_found_error", "File not found: file_nothing")


async def test_a_deleted_file_is_gone(office: Api) -> None:
    file = await uploaded(office)
    gone = await office.call("DELETE", f"/v1/files/{file['id']}")
    assert gone.json() == {"id": file["id"], "type": "file_deleted"}
    assert (await office.call("GET", f"/v1/files/{file['id']}")).status_code == 404
    assert (await office.refusal(ask(messages=about(file))))[0] == 404


async def test_a_file_expires_when_it_was_to(office: Api, clock: FakeClock) -> None:
    file = await uploaded(office, expires_in_seconds="60")
    assert (await office.call("GET", "/v1/files")).json()["data"] == [file]
    clock.advance(timedelta(seconds=60))
    assert (await office.call("GET", "/v1/files")).json()["data"] == []


async def test_what_was_uploaded_cannot_be_downloaded(office: Api) -> None:
    file = await uploaded(office)
    assert (await office.call("GET", f"/v1/files/{file['id']}/content")).status_code == 400


@pytest.mark.parametrize("text", ["0", "soon", "-1"])
async def test_an_expiry_that_is_none_is_refused(office: Api, text: str) -> None:
    form = {"file": ("a.txt", b"x", "text/plain")}
    response = await office.call("POST", "/v1/files", files=form, data={"expires_in_seconds": text})
    assert response.status_code == 400


@pytest.mark.parametrize("name", ["a/b.txt", "a?.txt", "x" * 256])
async def test_a_filename_that_no_system_takes_is_refused(office: Api, name: str) -> None:
    response = await office.call("POST", "/v1/files", files={"file": (name, b"x", "text/plain")})
    assert response.status_code == 400


async def test_a_form_without_a_file_is_refused(office: Api) -> None:
    response = await office.call("POST", "/v1/files", files={"other": ("a", b"x", "text/plain")})
    assert response.json()["error"]["message"] == "file: Field required"


async def test_a_file_that_is_too_large_is_refused(office: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.simulator.exchange.MAX_FILE", 100)
    response = await office.call("POST", "/v1/files", files={"file": ("a", b"x" * 200, "text/plain")})
    assert response.status_code == 413


async def test_files_have_room_for_so_much_and_no_more(office: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.simulator.files.ROOM", 15)
    await uploaded(office)
    response = await office.call("POST", "/v1/files", files={"file": ("b", b"x" * 10, "text/plain")})
    assert response.json()["error"]["details"]["error_code"] == "storage_quota_exceeded"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nno end"),
        ("multipart/form-data; boundary=x", b"--x\r\nno headers\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\ncontent-type: a\r\n\r\nd\r\n--x--"),
    ],
)
def test_a_body_that_is_no_form_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(ApiError):
        parts(kind, body)


def test_a_part_may_hold_line_ends_and_quotes_and_the_boundary_may_be_quoted() -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a \\"b\\".txt"\r\n\r\n'
    (part,) = parts('multipart/form-data; boundary="x"', head + b"1\r\n\r\n2\r\n--x--\r\n")
    assert (part.name, part.filename, part.data) == ("file", 'a "b".txt', b"1\r\n\r\n2")


@pytest.mark.requirement("simulator:files")
def test_the_official_sdk_uploads_asks_about_and_deletes_a_file() -> None:
    with (
        RunningSimulator() as running,
        anthropic.Anthropic(base_url=running.url, api_key="k", max_retries=0) as client,
    ):
        file = client.beta.files.upload(file=("note.txt", b"Remember the milk", "text/plain"))
        assert [one.id for one in client.beta.files.list()] == [file.id]
        message = client.beta.messages.create(
            model="claude-sonnet-5-5",
            max_tokens=200,
            messages=[
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "source": {"type": "file", "file_id": file.id},
                            "citations": {"enabled": True},
                        },
                        {"type": "text", "text": "What is it about?"},
                    ],
                }
            ],
        )
        first = message.content[0]
        assert first.type == "text"
        assert first.citations is not None
        assert first.citations[0].cited_text == "Remember the milk"
        assert client.beta.files.delete(file.id).id == file.id
