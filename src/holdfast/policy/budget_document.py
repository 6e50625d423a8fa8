"""A budget as a JSON document: what the register keeps and what interfaces show."""

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy import money
from holdfast.policy.budget import Act, BudgetConfig, Mode, Presumption, Rung, share
from holdfast.policy.period import period, written


class RungDocument(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rung; shares and money are decimal strings or numbers."""

    at: float
    do: Act
    model: str | None = None
    max_tokens: int | None = None


class BudgetDocument(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A budget under the names of its settings."""

    usd: str
    per: str = "month"
    scope: str = "organisation"
    timezone: str = "UTC"
    alert_at: tuple[float, ...] = (0.8,)
    mode: Mode = "strict"
    presumption: Presumption | None = None
    where: dict[str, str] = {}
    ladder: tuple[RungDocument, ...] = ()
    hard: bool = True
    min_tokens: int = 256


def budget_document(config: BudgetConfig) -> BudgetDocument:
    """The document of a budget."""
    return BudgetDocument(
        usd=f"{config.usd:f}",
        per=written(config.per),
        scope=config.scope,
        timezone=config.timezone,
        alert_at=tuple(float(share) for share in config.alert_at),
        mode=config.mode,
        presumption=config.presumption,
        where=dict(config.where),
        ladder=tuple(
            RungDocument(at=float(rung.at), do=rung.do, model=rung.model, max_tokens=rung.max_tokens)
            for rung in config.ladder
        ),
        hard=config.hard,
        min_tokens=config.min_tokens,
    )


def encoded_budget(config: BudgetConfig) -> bytes:
    """A budget as the register keeps it."""
    return msgspec.json.encode(budget_document(config))


def decoded_budget(body: bytes) -> BudgetConfig:
    """The budget that a document says; raises `ConfigError` for what is none."""
    try:
        document = msgspec.json.decode(body, type=BudgetDocument)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            Sentence(
                f"This is no budget: {error}. Write it anew with `holdfast budgets set`.",
                ko=f"예산으로 읽을 수 없습니다: {error}. `holdfast budgets set`으로 다시 적으세요.",
            )
        ) from error
    return BudgetConfig(
        usd=money.exact(document.usd, name="usd"),
        per=period(document.per),
        scope=document.scope,
        timezone=document.timezone,
        alert_at=tuple(share("alert_at", at) for at in document.alert_at),
        mode=document.mode,
        presumption=document.presumption,
        where=document.where,
        ladder=tuple(
            Rung(at=share("at", rung.at), do=rung.do, model=rung.model, max_tokens=rung.max_tokens)
            for rung in document.ladder
        ),
        hard=document.hard,
        min_tokens=document.min_tokens,
    )
