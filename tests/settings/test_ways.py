"""`[route]` and `[cache]` as an operator writes them."""

from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.errors import ConfigError
from holdfast.policy.caching import CacheConfig
from holdfast.policy.route import RouteConfig, RouteRule
from holdfast.settings import Settings

TEXT = """
[route]
enabled = true
shadow = true
models = ["auto"]
large = "claude-opus-5-5"

[[route.rules]]
name = "legal"
words = ["contract", "계약"]
to = "large"

[[route.rules]]
images = false
tokens_under = 500
to = "small"

[cache]
enabled = true
ttl = 600
scope = "key"
"""


def load(path: Path, text: str) -> Settings:
    file = path / "holdfast.toml"
    file.write_text(text)
    return Settings.load(file, environment={})


def test_rules_and_bounds_are_read(tmp_path: Path) -> None:
    settings = load(tmp_path, TEXT)
    assert settings.route == RouteConfig(
        enabled=True,
        shadow=True,
        models=("auto",),
        large="claude-opus-5-5",
        rules=(
            RouteRule(name="legal", words=("contract", "계약"), to="large"),
            RouteRule(images=False, tokens_under=500, to="small"),
        ),
    )
    assert settings.cache == CacheConfig(enabled=True, ttl=600.0, scope="key")
    assert str(settings.origins["cache.ttl"]).endswith("holdfast.toml:20")


def test_nothing_is_routed_or_kept_unless_somebody_says_so() -> None:
    settings = Settings.load(environment={"HOLDFAST_CONFIG": "/dev/null"})
    assert not settings.route.enabled
    assert not settings.cache.enabled


def test_the_environment_switches_them_on() -> None:
    names = {
        "HOLDFAST_CONFIG": "/dev/null",
        "HOLDFAST__CACHE__ENABLED": "true",
        "HOLDFAST__ROUTE__SIMPLE_BELOW": ".3",
    }
    settings = Settings.load(environment=names)
    assert settings.cache.enabled
    assert Decimal(str(settings.route.simple_below)) == Decimal("0.3")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[cache]\nttl = 0\n", "ttl"),
        ('[cache]\nscope = "everybody"\n', "scope"),
        ("[route]\nsimple_below = 2\n", "simple_below"),
        ('[[route.rules]]\nwords = ["a"]\n', "to"),
        ('[[route.rules]]\ntokens_ower = 1\nto = "small"\n', "tokens_over"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert told in str(caught.value)
    assert "holdfast.toml" in str(caught.value)
