"""Settings: what is set and by whom, what it means, what is advised against, and who changed what."""

import os
from collections.abc import Mapping
from urllib.parse import urlencode

from holdfast.catalogue.settings import meaning
from holdfast.console.page import Facts, Page, Visit
from holdfast.language import Sentence
from holdfast.operations.desk import instant
from holdfast.operations.lint import Surroundings, advice
from holdfast.operations.reference import written
from holdfast.policy.masking import mask

LINES = 50
"""Changes on the page."""

WORDS: Mapping[str, Sentence] = {
    "advice": Sentence("Worth changing", ko="고칠 만한 것"),
    "advice_none": Sentence("Nothing to advise against.", ko="권할 것이 없습니다."),
    "advice_hint": Sentence("The same as `holdfast check` says.", ko="`holdfast check`와 같은 결과입니다."),
    "level_warning": Sentence("warning", ko="경고"),
    "level_note": Sentence("note", ko="참고"),
    "settings": Sentence("In force", ko="적용 중인 설정"),
    "none_changed": Sentence("Everything is at its default.", ko="모두 기본값입니다."),
    "none_changed_hint": Sentence(
        "Write what differs into holdfast.toml, or set a variable such as HOLDFAST__STORE__URL; then restart.",
        ko="다르게 할 것만 holdfast.toml에 적거나 HOLDFAST__STORE__URL 같은 환경 변수로 설정한 뒤 다시 시작하세요.",
    ),
    "none_found": Sentence("No setting is called so.", ko="그런 이름의 설정이 없습니다."),
    "only_changed": Sentence("What is set", ko="설정한 것만"),
    "everything": Sentence("Everything", ko="전체"),
    "which": Sentence("Which settings", ko="표시할 설정"),
    "find": Sentence("Find a setting", ko="설정 찾기"),
    "show": Sentence("Show", ko="보기"),
    "setting": Sentence("setting", ko="설정"),
    "value": Sentence("value", ko="값"),
    "from": Sentence("from", ko="출처"),
    "means": Sentence("what it means", ko="의미"),
    "kind_file": Sentence("file", ko="파일"),
    "kind_environment": Sentence("environment", ko="환경 변수"),
    "kind_default": Sentence("default", ko="기본값"),
    "audit": Sentence("Who changed what", ko="변경 기록"),
    "audit_none": Sentence("Nothing has been changed yet.", ko="아직 변경한 것이 없습니다."),
    "time": Sentence("time", ko="시각"),
    "actor": Sentence("who", ko="누가"),
    "action": Sentence("did", ko="동작"),
    "action_put": Sentence("set", ko="설정"),
    "action_drop": Sentence("removed", ko="삭제"),
    "subject": Sentence("what", ko="대상"),
    "note": Sentence("note", ko="메모"),
    "yours": Sentence("Yours", ko="내 화면"),
    "yours_hint": Sentence("Kept in this browser alone.", ko="이 브라우저에만 저장됩니다."),
    "language_en": Sentence("English", ko="English(영어)"),
    "language_ko": Sentence("Korean (한국어)", ko="한국어"),
}


async def look(visit: Visit) -> Facts:
    """What is in force and why, what is advised against, and the newest changes."""
    settings, query = visit.runtime.settings, visit.query
    is_all, wanted = query.get("show") == "all", query.get("find", "").strip().lower()
    found = [
        {
            "name": name,
            "value": written(settings, name),
            "kind": origin.kind,
            "place": str(origin),
            "means": "" if (said := meaning(name)) is None else visit.say(said),
        }
        for name, origin in sorted(settings.origins.items())
        if (wanted in name.lower() if wanted else is_all or origin.kind != "default")
    ]
    around = Surroundings(environment=os.environ, day=visit.desk.now.date())
    return {
        "advice": [
            {
                "code": one.code,
                "level": one.level,
                "setting": one.setting,
                "said": mask(visit.say(one.sentence)),
            }
            for one in advice(settings, around)
        ],
        "rows": found,
        "show_all": is_all,
        "find": query.get("find", ""),
        "paths": {name: f"{PAGE.path}?{urlencode({'show': name})}" for name in ("set", "all")},
        "audit": [
            {
                "at": instant(one.at),
                "actor": one.actor,
                "action": one.action,
                "kind": one.kind,
                "name": mask(one.name),
                "note": mask(one.note),
            }
            for one in await visit.desk.store.audit(LINES)
        ],
    }


PAGE = Page(
    name="settings",
    title=Sentence("What is set, and by whom?", ko="무엇이 어떻게 설정돼 있나?"),
    label=Sentence("Settings", ko="설정"),
    words=WORDS,
    look=look,
    key="e",
)
