"""Who may answer the calls that wait at the end of a stored conversation: one process, however many try."""

from dataclasses import dataclass, replace

import msgspec

from holdfast.errors import InputRejected, StoreUnavailable
from holdfast.language import Sentence
from holdfast.ports import Moved, Owner, Sessions

TRIES = 20
"""How often it is tried again because others take calls of the same conversation at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim to the calls with these ids, in the conversation of that owner and id.

    It is a row in a session beside the conversation, which says nothing but the ids; the same row once more gives it
    up. Whoever dies with it has perhaps run the calls, and perhaps not: so nobody else does.
    """

    sessions: Sessions
    owner: Owner
    id: str
    calls: tuple[str, ...]

    async def take(self) -> bool:
        """Whether nobody else has taken it. Raises `StoreUnavailable`; it may be taken then all the same."""
        return await self._write(is_taken=False)

    async def free(self) -> None:
        """Give it up: the calls were not run, and wait again. Raises `StoreUnavailable`."""
        await self._write(is_taken=True)

    async def _write(self, *, is_taken: bool) -> bool:
        """Add the row where it is taken, or is not, as expected; whether it was."""
        mine, owner = msgspec.json.encode(self.calls), beside(self.owner)
        for _ in range(TRIES):
            session = await self.sessions.load(self.id, owner)
            rows = () if session is None else session.messages
            if (rows.count(mine) % 2 == 1) is not is_taken:
                return False
            added = await self.sessions.append(self.id, owner, (mine,), expected=len(rows))
            if not isinstance(added, Moved):
                return isinstance(added, int)
        raise StoreUnavailable(_CROWDED)


def beside(owner: Owner) -> Owner:
    """Whose the claims of an owner's conversations are, so that they are no conversations of theirs."""
    return replace(owner, key=f"claims of {owner.key}")


def taken() -> InputRejected:
    """The error of whoever comes second."""
    return InputRejected(
        Sentence(
            "Somebody else has just answered what waits here, and the calls are being run, or were when that process "
            "ended. Read the conversation in a moment; if nothing comes of it, say something new to go on.",
            ko="다른 곳에서 이미 이 호출에 답해 실행 중이거나, 실행하던 프로세스가 종료되었습니다. 잠시 뒤 대화를 다시 "
            "읽어 보고, 결과가 없으면 새 메시지를 보내 이어 가세요.",
        )
    )


_CROWDED = Sentence(
    "Too many others are answering calls of this conversation at the same time. Try again.",
    ko="이 대화의 호출에 동시에 답하는 요청이 너무 많습니다. 다시 시도하세요.",
)
