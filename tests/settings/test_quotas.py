from pathlib import Path

import pytest

from holdfast.errors import ConfigError
from holdfast.policy.fairness import FairnessConfig
from holdfast.policy.quota import QuotaConfig
from holdfast.settings import FleetConfig, Settings


def load(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "holdfast.toml"
    path.write_text(text, "utf-8")
    return Settings.load(path, environment=environment or {})


def test_quotas_are_read_by_their_names(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        '[quotas.per-user]\nrequests = 20\nper = 60\n[quotas.all]\nscope = "organisation"\noutput_tokens = 9\n',
    )
    assert settings.quotas == {
        "per-user": QuotaConfig(requests=20, per=60.0),
        "all": QuotaConfig(scope="organisation", output_tokens=9),
    }


def test_there_are_no_quotas_unless_somebody_sets_some(tmp_path: Path) -> None:
    settings = load(tmp_path, "")
    assert settings.quotas == {}
    assert settings.fairness == FairnessConfig()
    assert settings.fleet == FleetConfig(redis_url="", redis_url_env=None, workers=1)


def test_the_environment_can_set_a_limit_and_the_address_of_redis(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "[quotas.per-user]\nrequests = 20\n",
        {"HOLDFAST__QUOTAS__PER_USER__REQUESTS": "5", "HOLDFAST__FLEET__REDIS_URL": "redis://r:6379/0"},
    )
    assert settings.quotas["per-user"].requests == 5
    assert settings.fleet.redis_url == "redis://r:6379/0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[quotas.q]\nrequests = 0\n", "requests: must be 1 to"),
        ("[quotas.q]\nrequest = 1\n", "did you mean `requests`"),
        ('[quotas.q]\nscope = "planet"\n', "scope: must be organisation"),
        ("[fleet]\nworkers = 0\n", "workers: must be from 1"),
        ('[fleet]\nredis_url = "redis://x"\nredis_url_env = "X"\n', "redis_url_env: must be left out"),
        ("[fairness]\ntotal = 0\n", "total: must be 1 or more"),
    ],
)
def test_a_mistake_is_shown_with_its_line(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert words in str(caught.value)
    assert "holdfast.toml:" in str(caught.value)
