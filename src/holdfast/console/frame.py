"""What stands around every page: the rail, the verdict, whose upstream this is, who is logged in."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode, urlsplit

from holdfast.admin.status import Status, status_of
from holdfast.assembly import Runtime
from holdfast.console.notes import Note
from holdfast.console.page import Page, Visit
from holdfast.language import Language, Sentence
from holdfast.orders import STARTER

WORDS: Mapping[str, Sentence] = {
    "product": Sentence("Holdfast", ko="홀드패스트"),
    "skip": Sentence("Skip to the content", ko="본문으로 건너뛰기"),
    "pages": Sentence("Pages", ko="페이지"),
    "simulator": Sentence("SIMULATOR", ko="시뮬레이터"),
    "simulator_hint": Sentence(
        "Everything here is simulated; nothing leaves this machine.",
        ko="모두 시뮬레이션이며, 아무것도 이 컴퓨터 밖으로 나가지 않습니다.",
    ),
    "live": Sentence("LIVE", ko="실제"),
    "stop_open": Sentence("Stop…", ko="정지…"),
    "language_other": Sentence("한국어", ko="English 영어로"),
    "language_label": Sentence("Language", ko="언어"),
    "theme": Sentence("Colours", ko="색상"),
    "theme_system": Sentence("System", ko="시스템"),
    "theme_light": Sentence("Light", ko="밝게"),
    "theme_dark": Sentence("Dark", ko="어둡게"),
    "apply": Sentence("Apply", ko="적용"),
    "logout": Sentence("Log out", ko="로그아웃"),
    "role_viewer": Sentence("viewer", ko="보기 전용"),
    "role_operator": Sentence("operator", ko="운영자"),
    "search": Sentence("Search requests", ko="요청 검색"),
    "search_hint": Sentence(
        "Search requests, such as outcome:failed model:claude-sonnet*",
        ko="요청 검색, 예: outcome:failed model:claude-sonnet*",
    ),
    "pause": Sentence("Pause", ko="일시 정지"),
    "go_on": Sentence("Go on", ko="계속"),
    "updated": Sentence("updated", ko="갱신"),
    "lost": Sentence("no connection, trying again", ko="연결이 끊겨 다시 시도하는 중"),
    "paused": Sentence("paused", ko="일시 정지됨"),
    "json": Sentence("This page as JSON", ko="이 페이지를 JSON으로 보기"),
    "keys_open": Sentence("Keyboard shortcuts", ko="키보드 단축키"),
    "keys_title": Sentence("Keyboard shortcuts", ko="키보드 단축키"),
    "keys_search": Sentence("Search", ko="검색"),
    "keys_go": Sentence("Go to {page}", ko="{page} 페이지로 이동"),
    "keys_move": Sentence("Next or previous row", ko="다음 줄, 이전 줄"),
    "keys_enter": Sentence("Open the row", ko="줄 열기"),
    "keys_stop": Sentence("Stop something", ko="정지하기"),
    "keys_copy": Sentence("Copy the first snippet, export the list", ko="첫 번째 코드 복사, 목록 내보내기"),
    "keys_pause": Sentence("Pause or go on", ko="일시 정지 또는 계속"),
    "keys_help": Sentence("This list", ko="이 목록"),
    "close": Sentence("Close", ko="닫기"),
    "starter": Sentence(
        "No budget is configured, so a starter budget of $10 a day holds. Set your own: "
        "holdfast budgets set NAME --usd AMOUNT --per day",
        ko="설정된 예산이 없어 하루 10달러 시작 예산이 적용됩니다. 예산 설정: "
        "holdfast budgets set 이름 --usd 금액 --per day",
    ),
    "one_of": Sentence(
        "What moves here is of the worker that answered, one of {workers}; lists and sums are of all of them.",
        ko="실시간 표시는 워커 {workers}개 중 응답한 워커의 것입니다. 목록과 합계는 전체 기준입니다.",
    ),
    "undo_left": Sentence("for {seconds} s", ko="{seconds}초 동안"),
    "viewer_only": Sentence("You may look, and change nothing.", ko="보기만 할 수 있고 바꿀 수는 없습니다."),
    "failed_title": Sentence("That did not work", ko="처리하지 못했습니다"),
    "back": Sentence("Go to Now", ko="현황으로 가기"),
}
SHAPES = {True: "ok", False: "bad"}
WARNING = ("degraded", "client", "account")


def verdict_facts(status: Status, language: Language) -> dict[str, object]:
    """The verdict in one language, as every page shows it."""
    return {
        "kind": status.verdict,
        "ok": status.ok,
        "sign": "●" if status.ok else "▲",
        "shape": "warn" if status.verdict in WARNING else SHAPES[status.ok],
        "title": _in(status.title.en, status.title.ko, language),
        "sentence": _in(status.sentence.en, status.sentence.ko, language),
        "evidence": [_in(line.en, line.ko, language) for line in status.evidence],
        "since": status.since,
    }


def frame_facts(visit: Visit, page: Page, pages: Iterable[Page], note: Note | None) -> dict[str, object]:
    """What the frame of a page shows."""
    settings = visit.runtime.settings
    query = urlencode(visit.query)
    return {
        "lang": visit.language,
        "theme": visit.preferences.theme,
        "csrf": visit.session.csrf,
        "actor": visit.session.actor,
        "role": visit.session.role,
        "may_act": visit.session.may_act,
        "verdict": verdict_facts(status_of(visit.runtime), visit.language),
        "simulated": settings.simulated,
        "hosts": upstream_hosts(visit.runtime),
        "starter": STARTER in settings.budgets,
        "workers": settings.fleet.workers,
        "page": {"name": page.name, "title": visit.say(page.title), "label": visit.say(page.label)},
        "rail": [
            {
                "name": one.name,
                "label": visit.say(one.label),
                "path": one.path,
                "key": one.key,
                "is_here": one.name in (page.name, page.under),
            }
            for one in pages
            if one.under is None
        ],
        "here": page.path + (f"?{query}" if query else ""),
        "json_path": f"{page.path}.json" + (f"?{query}" if query else ""),
        "note": None if note is None else _note_facts(note, visit),
    }


def upstream_hosts(runtime: Runtime) -> list[str]:
    """The hosts of all upstreams, each once."""
    found = [urlsplit(one.config.url).hostname or one.config.url for one in runtime.upstreams]
    return list(dict.fromkeys(found))


def _note_facts(note: Note, visit: Visit) -> dict[str, object]:
    undo = note.undo
    return {
        "said": visit.say(note.said),
        "is_good": note.is_good,
        "undo": None
        if undo is None
        else {
            "label": visit.say(undo.label),
            "path": undo.path,
            "fields": dict(undo.fields),
            "seconds": int(undo.seconds),
        },
    }


def _in(en: str, ko: str, language: Language) -> str:
    return Sentence(en, ko=ko).say(language)
