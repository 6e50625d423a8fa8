"""What a run in virtual time can complain of."""

from collections.abc import Iterable

from holdfast.language import Language, Sentence

SHOWN = 20
"""Tasks or errors named in a sentence; the exception holds all of them."""


class VirtualTimeError(Exception):
    """A program did what cannot be simulated, or did not end as a program should."""

    def __init__(self, sentence: Sentence) -> None:
        self.sentence = sentence
        super().__init__(sentence.en)

    def say(self, language: Language) -> str:
        """The sentence in the reader's language."""
        return self.sentence.say(language)


class NotVirtual(VirtualTimeError):
    """A socket, a thread or a subprocess was asked for; `what` names the call."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            Sentence(
                f"{what}: the virtual loop has no real sockets, threads or subprocesses, whose time it could"
                " not simulate. Hand the code under test something in process instead.",
                ko=f"{what}: 가상 루프에는 실제 소켓, 스레드, 하위 프로세스가 없습니다. 그 시간은 시뮬레이션할 수"
                " 없으니 테스트 대상에 프로세스 내부 대역을 넘기세요.",
            )
        )


class Stuck(VirtualTimeError):
    """An end with tasks that are not done; `tasks` names them and where each waits."""

    en = ko = ""

    def __init__(self, tasks: Iterable[str]) -> None:
        self.tasks = tuple(tasks)
        more = len(self.tasks) - SHOWN
        shown = "; ".join(self.tasks[:SHOWN]) + (f"; +{more}" if more > 0 else "")
        super().__init__(Sentence(f"{self.en}: {shown}", ko=f"{self.ko}: {shown}"))


class Deadlock(Stuck):
    """Nothing can run and no timer is left, but tasks wait."""

    en = "Nothing can run any more and no timer is left. Look at what these tasks wait for"
    ko = "더 실행할 것도, 남은 타이머도 없습니다. 다음 태스크가 무엇을 기다리는지 살펴보세요"


class Livelock(Stuck):
    """Tasks run on and on at one moment, so that time never passes."""

    en = "A million rounds went by without any time passing. One of these tasks spins: let it sleep"
    ko = "시간이 흐르지 않은 채 이벤트 루프가 백만 번 돌았습니다. 다음 태스크 중 하나가 헛돌고 있으니 sleep을 넣으세요"


class LeakedTasks(Stuck):
    """The main coroutine ended and left tasks behind."""

    en = "The main coroutine ended, but these tasks did not. Await or cancel them before it ends"
    ko = "메인 코루틴은 끝났지만 다음 태스크가 남았습니다. 끝나기 전에 기다리거나 취소하세요"


class LostErrors(VirtualTimeError):
    """Errors were raised where nobody could catch them: in callbacks, finalizers, tasks never awaited."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        shown = "; ".join(self.errors[:SHOWN])
        super().__init__(
            Sentence(
                f"Errors that nobody could catch; handle them where they arise: {shown}",
                ko=f"아무도 잡을 수 없는 오류가 났습니다. 발생한 곳에서 처리하세요: {shown}",
            )
        )
