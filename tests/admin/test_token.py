import stat
from pathlib import Path

import platformdirs
import pytest

from holdfast.admin.token import own_token, set_token, token_file
from holdfast.errors import ConfigError
from tests.doors.talking import ask
from tests.journeys.commands import running

BUDGETS = "/api/v1/budgets"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("HOLDFAST_ADMIN_TOKEN", raising=False)
    return f"sqlite:///{tmp_path / 'holdfast.db'}"


def test_one_that_was_set_is_taken_and_no_file_made(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", "mine")
    token = own_token(url)
    assert (token.value, token.place) == ("mine", "HOLDFAST_ADMIN_TOKEN")
    assert not token_file(url).exists()
    assert "mine" not in repr(token)


def test_one_may_stand_in_a_file_that_is_named(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("from-a-file\n")
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN_FILE", str(tmp_path / "secret"))
    assert own_token(url).value == "from-a-file"


def test_without_one_a_store_gets_its_own_in_a_file_for_nobody_else(url: str) -> None:
    assert set_token() is None
    token = own_token(url)
    path = token_file(url)
    assert token.place == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(token.value) == 64
    assert own_token(url) == token


def test_a_store_that_is_no_file_has_its_own_in_the_state_folder(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def state(name: str, *, appauthor: bool) -> str:
        return str(tmp_path / "state")

    monkeypatch.setattr(platformdirs, "user_state_dir", state)
    first, second = own_token("postgresql://a/b"), own_token("postgresql://a/c")
    assert first.value != second.value
    assert Path(first.place).parent == tmp_path / "state"


def test_a_file_that_cannot_be_used_says_what_to_do(url: str) -> None:
    for content in (b"short", b"\xff" * 64):
        token_file(url).write_bytes(content)
        with pytest.raises(ConfigError, match="Delete the file, or set HOLDFAST_ADMIN_TOKEN"):
            own_token(url)
    token_file(url).unlink()
    token_file(url).mkdir()
    with pytest.raises(ConfigError, match="admin token"):
        own_token(url)


def test_serve_names_the_file_and_never_the_token(url: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    ready = "paste the next line"
    with running("serve", "--simulate", "--port", "0", home=home, ready=lambda said: ready in said) as server:
        (path,) = home.rglob("*.admin-token")
        token = path.read_text()
        heard = ask(server.url, method="GET", path=BUDGETS, headers={"x-api-key": token})
        assert heard.status == 200
        assert ask(server.url, method="GET", path=BUDGETS).status == 401
        said = server.said
    assert f"token in {path}" in said
    assert token not in said
