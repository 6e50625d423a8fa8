"""Keys: who may call, within which limits; made, rotated with an overlap, and revoked."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from holdfast.admin.lengths import length
from holdfast.admin.refusals import unreadable
from holdfast.console.clients import clients
from holdfast.console.notes import Note
from holdfast.console.page import Done, Facts, Page, Visit
from holdfast.console.stop import stop_path
from holdfast.language import Sentence
from holdfast.operations import keys
from holdfast.policy.keys import SCOPES, KeyLimits, KeyScope
from holdfast.policy.money import exact
from holdfast.ports import SpendQuery

DIGITS = 12
"""Digits of a limit."""
OVERLAPS = ("0", "1h", "24h", "7d")
LIFETIMES = ("", "24h", "30d", "90d", "365d")
LATELY = timedelta(days=30)

WORDS: Mapping[str, Sentence] = {
    "none": Sentence("No keys yet.", ko="아직 키가 없습니다."),
    "none_hint": Sentence(
        "Anybody who reaches this address may call, as `local`. With the first key, every caller needs one; each key "
        "has its own limits, and is told apart in Spend.",
        ko="지금은 이 주소에 접근하는 누구나 `local`로 호출할 수 있습니다. 첫 키를 만들면 모든 호출자에게 키가 필요하며, "
        "키마다 한도를 두고 지출을 나눠 볼 수 있습니다.",
    ),
    "issued": Sentence("The key, shown this once", ko="키: 지금 한 번만 표시됩니다"),
    "issued_hint": Sentence(
        "Copy it now: holdfast keeps a digest of it and can never show it again.",
        ko="지금 복사하세요. holdfast는 해시만 저장하므로 다시 보여 줄 수 없습니다.",
    ),
    "secret": Sentence("Key", ko="키"),
    "list": Sentence("Keys, oldest first", ko="키, 오래된 순"),
    "name": Sentence("name", ko="이름"),
    "prefix": Sentence("begins with", ko="앞부분"),
    "state": Sentence("state", ko="상태"),
    "state_good": Sentence("good", ko="사용 중"),
    "state_expired": Sentence("expired", ko="만료"),
    "state_revoked": Sentence("revoked", ko="폐기"),
    "scopes": Sentence("may", ko="권한"),
    "scope_messages": Sentence("call models", ko="모델 호출"),
    "scope_admin:read": Sentence("look at everything", ko="관리 조회"),
    "scope_admin:write": Sentence("operate", ko="관리 변경"),
    "owner": Sentence("user", ko="사용자"),
    "models": Sentence("models", ko="모델"),
    "models_all": Sentence("all", ko="전체"),
    "limits": Sentence("limits", ko="한도"),
    "limits_none": Sentence("none", ko="없음"),
    "rpm": Sentence("requests a minute", ko="분당 요청"),
    "tpm": Sentence("tokens a minute", ko="분당 토큰"),
    "usd": Sentence("dollars a day", ko="하루 달러"),
    "created": Sentence("created", ko="생성"),
    "ends": Sentence("ends", ko="만료"),
    "never": Sentence("never", ko="없음"),
    "calls": Sentence("attempts, 30 days", ko="30일 시도"),
    "acts": Sentence("do", ko="조치"),
    "rotate": Sentence("Rotate", ko="교체"),
    "rotate_one": Sentence("Rotate the key {name}", ko="{name} 키 교체"),
    "overlap": Sentence("The old one opens for", ko="이전 키 유효 기간"),
    "overlap_of": Sentence("How long the old key {name} still opens", ko="이전 {name} 키의 유효 기간"),
    "overlap_0": Sentence("not any more", ko="즉시 중단"),
    "overlap_1h": Sentence("1 hour", ko="1시간"),
    "overlap_24h": Sentence("1 day", ko="1일"),
    "overlap_7d": Sentence("7 days", ko="7일"),
    "revoke": Sentence("Revoke for good", ko="영구 폐기"),
    "revoke_open": Sentence("Revoke…", ko="폐기…"),
    "revoke_one": Sentence("Revoke the key {name} for good", ko="{name} 키 영구 폐기"),
    "reason": Sentence("Reason", ko="이유"),
    "reason_of": Sentence("Why the key {name} is revoked", ko="{name} 키를 폐기하는 이유"),
    "stop": Sentence("Stop for a while…", ko="한동안 정지…"),
    "stop_one": Sentence("Stop the key {name} for a while", ko="{name} 키 한동안 정지"),
    "create": Sentence("Create a key", ko="키 만들기"),
    "create_name": Sentence("Name", ko="이름"),
    "create_scope": Sentence("May", ko="권한"),
    "create_user": Sentence("On behalf of (user)", ko="사용자"),
    "create_models": Sentence("Only these models", ko="허용 모델"),
    "create_models_hint": Sentence(
        "With commas between; empty for all.", ko="쉼표로 구분하며, 비우면 전체입니다."
    ),
    "create_life": Sentence("Ends after", ko="유효 기간"),
    "life_": Sentence("never", ko="없음"),
    "life_24h": Sentence("1 day", ko="1일"),
    "life_30d": Sentence("30 days", ko="30일"),
    "life_90d": Sentence("90 days", ko="90일"),
    "life_365d": Sentence("1 year", ko="1년"),
    "create_rpm": Sentence("Requests a minute", ko="분당 요청 한도"),
    "create_tpm": Sentence("Tokens a minute", ko="분당 토큰 한도"),
    "create_usd": Sentence("Dollars a day", ko="하루 달러 한도"),
    "create_do": Sentence("Create", ko="만들기"),
    "limits_hint": Sentence(
        "A key keeps its limits for good; for others create a new one, or lay a budget over it in Spend.",
        ko="키의 한도는 바꿀 수 없습니다. 다른 한도가 필요하면 새 키를 만들거나 지출 페이지에서 예산을 더하세요.",
    ),
    "copy": Sentence("Copy", ko="복사"),
    "copied": Sentence("Copied", ko="복사됨"),
    "clients": Sentence("Point a client here", ko="클라이언트 연결"),
}


async def look(visit: Visit) -> Facts:
    """Every key there ever was, with what it did of late; nothing here opens anything."""
    month = SpendQuery(
        since=(visit.desk.now - LATELY).replace(minute=0, second=0, microsecond=0), by=("key",)
    )
    used = {one.group["key"]: one.attempts for one in await visit.desk.store.spend(month)}
    found = await keys.keys(visit.desk)
    return {
        "listed": [
            {
                **keys.key_facts(one),
                "used": used.get(one.record.name, 0),
                "stop_path": stop_path("key", one.record.name, back=PAGE.path),
            }
            for one in found
        ],
        "choices": {"scopes": list(SCOPES), "overlaps": list(OVERLAPS), "lifetimes": list(LIFETIMES)},
        "issued": None,
        "clients": clients(visit.address, visit.runtime.settings.models.standard),
    }


async def create(visit: Visit) -> Facts:
    """Make a key, and show it this once."""
    form = visit.form
    name = form.get("name", "").strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise unreadable("name", "1-100 characters on one line")
    life = form.get("life", "")
    wanted = keys.NewKey(
        name=name,
        lifetime=length("life", life) if life else None,
        scopes=(_scope(form.get("scope", "messages")),),
        user=form.get("user", "").strip() or None,
        models=tuple(one for part in form.get("models", "").split(",") if (one := part.strip())),
        limits=_limits(form),
    )
    return await _shown(visit, await keys.create(visit.desk, wanted))


async def rotate(visit: Visit) -> Facts:
    """Make the key that takes the place of another, and show it this once."""
    overlap = visit.form.get("overlap", "24h")
    if overlap not in OVERLAPS:
        raise unreadable("overlap", ", ".join(OVERLAPS))
    ends = timedelta() if overlap == "0" else length("overlap", overlap)
    return await _shown(visit, await keys.rotate(visit.desk, visit.form.get("id", ""), overlap=ends))


async def revoke(visit: Visit) -> Done:
    """End a key for good."""
    which, note = visit.form.get("id", ""), visit.form.get("reason", "").strip()[:200]
    record = await keys.revoke(visit.desk, which, note=note)
    name = (which if record is None else record.name)[:80]
    return Done(
        to=PAGE.path,
        note=Note(said=Sentence(f"Revoked for good: {name}.", ko=f"영구 폐기했습니다: {name}.")),
    )


async def _shown(visit: Visit, issued: keys.Issued) -> Facts:
    await visit.runtime.stations.watch.refresh()
    told: dict[str, Any] = {
        "name": issued.record.name,
        "secret": issued.secret,
        "clients": clients(visit.address, visit.runtime.settings.models.standard, issued.secret),
        "calls": "messages" in issued.record.scopes,
    }
    return {**await look(visit), "issued": told}


def _scope(text: str) -> KeyScope:
    for one in SCOPES:
        if one == text:
            return one
    raise unreadable("scope", ", ".join(SCOPES))


def _limits(form: Mapping[str, str]) -> KeyLimits:
    usd: Decimal | None = exact(said, name="usd") if (said := form.get("usd", "").strip()) else None
    return KeyLimits(rpm=_count(form, "rpm"), tpm=_count(form, "tpm"), usd_per_day=usd)


def _count(form: Mapping[str, str], name: str) -> int | None:
    said = form.get(name, "").strip()
    if not said:
        return None
    if not (said.isascii() and said.isdigit()) or len(said) > DIGITS:
        raise unreadable(name, "write a whole number")
    return int(said)


PAGE = Page(
    name="keys",
    title=Sentence("Who may call, and how much?", ko="누가 얼마나 호출할 수 있나?"),
    label=Sentence("Keys", ko="키"),
    words=WORDS,
    look=look,
    key="k",
    acts={"create": create, "rotate": rotate, "revoke": revoke},
)
