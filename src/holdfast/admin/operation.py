"""One operation of the Admin API: where it is, what it takes, gives and needs, and the work itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from holdfast.assembly import Runtime
from holdfast.operations.desk import Desk
from holdfast.policy.keys import KeyScope

Q = TypeVar("Q", bound=Struct)
B = TypeVar("B", bound=Struct)
Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Generic[Q, B]):
    """A request that may be answered.

    Attributes:
        names: what stands in the path for each `{name}`, decoded.
    """

    runtime: Runtime
    desk: Desk
    names: Mapping[str, str]
    query: Q
    body: B


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Q, B]):
    """One operation; `work` gives plain data, or a whole response.

    Attributes:
        name: its `operationId`.
        gives: the type of the answer; `None` for a file.
        files: the content types that such a file may have.
        is_private: whoever may only look around must not see this.
        only_reads: it changes nothing, though it is no GET.
    """

    method: Method
    path: str
    name: str
    summary: str
    work: Callable[[Asked[Q, B]], Awaitable[object]]
    gives: Any
    query: type[Q]
    body: type[B]
    status: int = 200
    files: tuple[str, ...] = ("text/csv", "application/jsonl")
    is_private: bool = False
    only_reads: bool = False

    @property
    def scope(self) -> KeyScope:
        """What a key must be for."""
        is_open = (self.method == "GET" or self.only_reads) and not self.is_private
        return "admin:read" if is_open else "admin:write"


AnyOperation = Operation[Any, Any]
