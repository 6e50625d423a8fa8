"""The incidents that come with holdfast, each a scenario in a file beside this one."""

import difflib
from functools import cache
from importlib.resources import files

from holdfast.drill.scenario import Scenario, scenario_of
from holdfast.errors import ConfigError
from holdfast.language import Sentence

ENDING = ".toml"


@cache
def incidents() -> tuple[Scenario, ...]:
    """All of them, by name."""
    found = [file for file in files(__name__).iterdir() if file.name.endswith(ENDING)]
    return tuple(
        scenario_of(file.read_text("utf-8"), file.name) for file in sorted(found, key=lambda file: file.name)
    )


def incident(name: str) -> Scenario:
    """The incident of that name; raises `ConfigError` where there is none."""
    known = {scenario.name: scenario for scenario in incidents()}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    listed = ", ".join(known)
    meant = Sentence(f"did you mean `{near[0]}`?", ko=f"혹시 `{near[0]}`인가요?") if near else None
    meant = meant or Sentence(f"there are: {listed}", ko=f"쓸 수 있는 것: {listed}")
    raise ConfigError(
        Sentence(
            f"there is no incident `{name}`; {meant.en} A scenario of your own is named by its file, as in ./{name}.toml.",
            ko=f"`{name}`라는 시나리오는 없습니다. {meant.ko} 직접 만든 것은 ./{name}.toml처럼 파일 이름으로 적으세요.",
        )
    )
