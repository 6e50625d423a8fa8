import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Self

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.call import Call, Outcome, Response, Spent, Unanswered
from holdfast.errors import CallNotPermitted, InputRejected, StreamInterrupted, UpstreamUnavailable
from holdfast.events import Event, SettleFailed
from holdfast.pipeline import Answer, Guard, Pipeline, Proceed, Settling, finish, unwind
from holdfast.wire.meter import Meter
from holdfast.wire.sse import Splitter
from holdfast.wire.usage import Usage
from tests.upstream.scripted import START, STOP, STREAM, a_call, error, text


class Chunks:
    """A body of these chunks, read by a meter as they pass; an exception in its place is raised."""

    def __init__(self, *chunks: bytes | BaseException, meter: Meter | None = None) -> None:
        self._chunks = list(chunks)
        self._meter = meter or Meter()
        self._splitter = Splitter()
        self.closed = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        if not self._chunks:
            raise StopAsyncIteration
        match self._chunks.pop(0):
            case bytes() as chunk:
                for event in self._splitter.feed(chunk):
                    self._meter.observe(event)
                return chunk
            case failure:
                raise failure

    async def aclose(self) -> None:
        self.closed += 1


class Endless(Chunks):
    """A body that never comes to its end."""

    async def __anext__(self) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


class BadClose(Chunks):
    """A body that cannot even be closed."""

    async def aclose(self) -> None:
        await super().aclose()
        raise OSError("the connection is no socket any more")


class Books:
    """Guards that write down when they are asked and how they are settled."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.settled: list[tuple[str, Outcome]] = []
        self.events: list[Event] = []

    def guard(self, name: str, *, during: Callable[[], Awaitable[object]] | None = None) -> Guard:
        async def settle(outcome: Outcome) -> None:
            if during is not None:
                await during()
            self.settled.append((name, outcome))

        async def ask(call: Call) -> Proceed:
            self.asked.append(name)
            return Proceed(call, settle)

        return ask

    @property
    def order(self) -> list[str]:
        return [name for name, _ in self.settled]

    @property
    def outcome(self) -> Outcome:
        (outcome,) = {id(outcome): outcome for _, outcome in self.settled}.values()
        return outcome


def sends(response: Response | Unanswered) -> Callable[[Call], Awaitable[Response | Unanswered]]:
    async def send(call: Call) -> Response | Unanswered:
        return response

    return send


def fails(failure: BaseException) -> Callable[[Call], Awaitable[Response]]:
    async def send(call: Call) -> Response:
        await asyncio.sleep(0)
        raise failure

    return send


def answer(*chunks: bytes | BaseException, status: int = 200, kind: type[Chunks] = Chunks) -> Response:
    meter = Meter()
    body = kind(*chunks, meter=meter)
    return Response(status=status, headers=(), body=body, meter=meter, attempts=2, upstream="main")


def pipeline(books: Books, response: Response, *names: str) -> Pipeline:
    guards = tuple(books.guard(name) for name in names or ("outer", "middle", "inner"))
    return Pipeline(guards, sends(response), books.events.append)


async def test_guards_are_asked_in_order_and_settled_in_reverse() -> None:
    books = Books()
    settling = await pipeline(books, answer(*STREAM))(a_call())
    assert await settling.read() == b"".join(STREAM)
    assert books.asked == ["outer", "middle", "inner"]
    assert books.order == ["inner", "middle", "outer"]


async def test_an_answer_read_to_its_end_is_settled_once_as_answered_with_its_usage() -> None:
    books = Books()
    settling = await pipeline(books, answer(*STREAM), "only")(a_call())
    assert books.settled == []
    await settling.read()
    await settling.aclose()
    outcome = books.outcome
    assert (books.order, outcome.end, outcome.status) == (["only"], "answered", 200)
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (10, 7)
    assert (outcome.attempts, outcome.upstream, outcome.stop_reason) == (2, "main", "end_turn")
    assert (outcome.served_model, outcome.estimated) == ("claude-sonnet-5-5", False)


async def test_a_guard_may_hand_on_a_changed_call() -> None:
    seen: list[int | None] = []

    async def narrow(call: Call) -> Proceed:
        return Proceed(replace(call, attempts=1))

    async def look(call: Call) -> Proceed:
        seen.append(call.attempts)
        return Proceed(call)

    async def send(call: Call) -> Response:
        seen.append(call.attempts)
        return answer()

    await Pipeline((narrow, look), send)(a_call())
    assert seen == [1, 1]


async def test_an_answer_by_a_guard_keeps_later_guards_and_the_upstream_unasked() -> None:
    books = Books()

    async def cached(call: Call) -> Answer:
        return Answer(answer(*STREAM))

    never = fails(AssertionError("the upstream was asked"))
    run = Pipeline((books.guard("outer"), cached, books.guard("inner")), never)
    settling = await run(a_call())
    assert await settling.read() == b"".join(STREAM)
    assert (books.asked, books.order, books.outcome.end) == (["outer"], ["outer"], "answered")


async def test_a_call_refused_by_a_guard_settles_those_before_it_as_refused() -> None:
    books = Books()

    async def refuse(call: Call) -> Proceed:
        raise InputRejected("no")

    run = Pipeline((books.guard("outer"), refuse, books.guard("inner")), fails(AssertionError()))
    with pytest.raises(InputRejected):
        await run(a_call())
    assert (books.asked, books.order) == (["outer"], ["outer"])
    assert (books.outcome.end, books.outcome.status) == ("refused", 400)
    assert books.outcome.error_code == "holdfast_input_rejected"


async def test_an_open_circuit_counts_as_a_refusal() -> None:
    books = Books()
    with pytest.raises(CallNotPermitted):
        await Pipeline((books.guard("only"),), fails(CallNotPermitted("open")))(a_call())
    assert (books.outcome.end, books.outcome.status) == ("refused", 503)


async def test_an_upstream_error_settles_as_failed_with_its_code_and_attempts() -> None:
    books, call = Books(), a_call()
    call.tally.attempts = 3
    with pytest.raises(UpstreamUnavailable):
        await Pipeline((books.guard("only"),), fails(UpstreamUnavailable("down")))(call)
    outcome = books.outcome
    assert (outcome.end, outcome.status, outcome.attempts) == ("failed", 503, 3)
    assert outcome.error_code == "holdfast_upstream_unavailable"


async def test_what_an_unanswered_call_used_up_reaches_the_outcome() -> None:
    books, failure, call = Books(), StreamInterrupted("broke"), a_call()
    lost = Spent(upstream="main", model=call.request.model, usage=Usage(input_tokens=10), estimated=True)
    call.tally.attempts = 2
    call.tally.spent += [lost, lost]
    with pytest.raises(StreamInterrupted) as caught:
        await Pipeline((books.guard("only"),), sends(Unanswered(error=failure, upstream="main")))(call)
    outcome = books.outcome
    assert caught.value is failure
    assert (outcome.end, outcome.status, outcome.error_code) == ("failed", 502, failure.error_code)
    assert (outcome.spent, outcome.attempts, outcome.upstream) == ((lost, lost), 2, "main")


async def test_what_was_spent_before_the_caller_left_reaches_the_outcome() -> None:
    books, call = Books(), a_call()
    lost = Spent(upstream="main", model=call.request.model, usage=Usage(input_tokens=7), estimated=True)

    async def send(call: Call) -> Response:
        call.tally.attempts += 1
        call.tally.spent.append(lost)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Pipeline((books.guard("only"),), send)(call)
    assert (books.outcome.end, books.outcome.attempts, books.outcome.spent) == ("abandoned", 1, (lost,))


async def test_a_programming_error_settles_as_failed_under_its_own_name() -> None:
    books = Books()
    with pytest.raises(KeyError):
        await Pipeline((books.guard("only"),), fails(KeyError("x")))(a_call())
    assert (books.outcome.end, books.outcome.status, books.outcome.error_code) == ("failed", 500, "KeyError")


async def test_a_call_cancelled_before_its_answer_settles_as_abandoned() -> None:
    books = Books()
    waiting = asyncio.Event()

    async def send(call: Call) -> Response:
        waiting.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    task = asyncio.ensure_future(Pipeline((books.guard("only"),), send)(a_call()))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (books.outcome.end, books.outcome.status) == ("abandoned", 499)


async def test_a_body_read_in_another_task_is_settled_there() -> None:
    books = Books()
    settling = await pipeline(books, answer(*STREAM))(a_call())
    assert await asyncio.create_task(settling.read()) == b"".join(STREAM)
    assert books.order == ["inner", "middle", "outer"]


async def test_a_body_closed_in_another_task_is_settled_there() -> None:
    books = Books()
    settling = await pipeline(books, answer(*STREAM))(a_call())
    await anext(settling)
    await asyncio.create_task(settling.aclose())
    assert (books.order, books.outcome.end) == (["inner", "middle", "outer"], "abandoned")


async def test_an_answer_closed_without_being_read_is_abandoned_and_its_body_closed() -> None:
    books, response = Books(), answer(*STREAM)
    settling = await pipeline(books, response)(a_call())
    await settling.aclose()
    assert isinstance(response.body, Chunks)
    assert (books.outcome.end, response.body.closed) == ("abandoned", 1)


async def test_a_closed_answer_gives_out_nothing_more() -> None:
    settling = await pipeline(Books(), answer(*STREAM))(a_call())
    await settling.aclose()
    assert [chunk async for chunk in settling] == []


async def test_a_reader_cancelled_in_the_middle_settles_as_abandoned() -> None:
    books, response = Books(), answer(kind=Endless)
    settling = await pipeline(books, response)(a_call())
    reader = asyncio.create_task(settling.read())
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert isinstance(response.body, Chunks)
    assert (books.order, books.outcome.end) == (["inner", "middle", "outer"], "abandoned")
    assert response.body.closed == 1


async def test_a_reader_who_leaves_after_the_last_event_has_been_answered() -> None:
    books = Books()
    settling = await pipeline(books, answer(*STREAM))(a_call())
    for _ in STREAM:
        await anext(settling)
    await settling.aclose()
    assert books.outcome.end == "answered"


async def test_a_reader_who_leaves_after_the_error_event_has_been_failed() -> None:
    books = Books()
    settling = await pipeline(books, answer(START, text("Hi"), error()))(a_call())
    for _ in range(3):
        await anext(settling)
    await settling.aclose()
    assert (books.outcome.end, books.outcome.error_code) == ("failed", "overloaded_error")


async def test_a_refusal_of_the_upstream_is_a_failure_even_if_nobody_reads_it() -> None:
    books = Books()
    settling = await pipeline(books, answer(b"{}", status=400))(a_call())
    await settling.aclose()
    assert (books.outcome.end, books.outcome.status) == ("failed", 400)


@pytest.mark.parametrize("status", [400, 529])
async def test_an_error_answer_read_to_its_end_has_failed(status: int) -> None:
    books = Books()
    settling = await pipeline(books, answer(b"{}", status=status))(a_call())
    await settling.read()
    assert (books.outcome.end, books.outcome.status) == ("failed", status)


async def test_a_body_that_raises_settles_as_failed_and_the_error_comes_through() -> None:
    books = Books()
    settling = await pipeline(books, answer(START, ZeroDivisionError()))(a_call())
    with pytest.raises(ZeroDivisionError):
        await settling.read()
    outcome = books.outcome
    assert (outcome.end, outcome.error_code, outcome.usage.input_tokens) == (
        "failed",
        "ZeroDivisionError",
        10,
    )


async def test_a_typed_error_in_a_body_keeps_its_code() -> None:
    books = Books()
    settling = await pipeline(books, answer(StreamInterrupted("broke")))(a_call())
    with pytest.raises(StreamInterrupted):
        await settling.read()
    assert books.outcome.error_code == "holdfast_stream_interrupted"


async def test_what_a_broken_stream_delivered_is_charged_as_an_estimate() -> None:
    books = Books()
    settling = await pipeline(books, answer(START, text("x" * 400), ConnectionError()))(a_call())
    with pytest.raises(ConnectionError):
        await settling.read()
    assert (books.outcome.estimated, books.outcome.usage.output_tokens) == (True, 134)


async def test_a_settle_is_finished_although_the_reader_is_cancelled_meanwhile() -> None:
    books = Books()
    slow, go_on = asyncio.Event(), asyncio.Event()

    async def dawdle() -> None:
        slow.set()
        await go_on.wait()

    guards = (books.guard("outer"), books.guard("slow", during=dawdle))
    settling = await Pipeline(guards, sends(answer(*STREAM)))(a_call())
    reader = asyncio.create_task(settling.read())
    await slow.wait()
    for _ in range(3):
        reader.cancel()
        await asyncio.sleep(0)
    assert not reader.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert (books.order, books.outcome.end) == (["slow", "outer"], "answered")


async def test_a_timeout_around_a_settle_is_still_a_timeout() -> None:
    books = Books()

    async def dawdle() -> None:
        await asyncio.sleep(0.05)

    settling = await Pipeline((books.guard("slow", during=dawdle),), sends(answer()))(a_call())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await settling.read()
    assert books.order == ["slow"]


async def test_a_cancel_scope_of_anyio_around_a_settle_waits_for_it_and_then_cancels() -> None:
    books = Books()

    async def dawdle() -> None:
        await asyncio.sleep(0.03)

    settling = await Pipeline((books.guard("slow", during=dawdle),), sends(answer()))(a_call())
    with anyio.move_on_after(0.01) as scope:
        await settling.read()
    assert scope.cancelled_caught
    assert books.order == ["slow"]


async def test_a_refusal_is_settled_although_the_caller_is_cancelled_meanwhile() -> None:
    books, slow = Books(), asyncio.Event()

    async def dawdle() -> None:
        slow.set()
        await asyncio.sleep(0.01)

    run = Pipeline((books.guard("slow", during=dawdle),), fails(InputRejected("no")))
    task = asyncio.ensure_future(run(a_call()))
    await slow.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (books.order, books.outcome.end) == (["slow"], "refused")


async def test_a_failing_settle_is_announced_and_stops_no_other() -> None:
    books = Books()

    async def burst() -> None:
        raise ConnectionError("the store is gone")

    guards = (books.guard("outer"), books.guard("broken", during=burst), books.guard("inner"))
    settling = await Pipeline(guards, sends(answer(*STREAM)), books.events.append)(a_call())
    assert await settling.read() == b"".join(STREAM)
    assert books.order == ["inner", "outer"]
    (event,) = books.events
    assert isinstance(event, SettleFailed)
    assert "the store is gone" in event.error
    assert "settle" in event.guard


async def test_a_settle_that_is_cancelled_from_within_stops_no_other() -> None:
    books = Books()

    async def give_up() -> None:
        raise asyncio.CancelledError

    guards = (books.guard("outer"), books.guard("broken", during=give_up))
    settling = await Pipeline(guards, sends(answer(*STREAM)), books.events.append)(a_call())
    assert await settling.read() == b"".join(STREAM)
    assert (books.order, len(books.events)) == (["outer"], 1)


async def test_an_observer_that_raises_keeps_no_guard_from_settling() -> None:
    books = Books()

    async def burst() -> None:
        raise ConnectionError

    def observe(event: Event) -> None:
        raise ZeroDivisionError

    guards = (books.guard("outer"), books.guard("broken", during=burst))
    settling = await Pipeline(guards, sends(answer()), observe)(a_call())
    with pytest.raises(ZeroDivisionError):
        await settling.read()
    assert books.order == ["outer"]


async def test_a_body_that_cannot_be_closed_is_announced_and_settled_all_the_same() -> None:
    books = Books()
    settling = await pipeline(books, answer(*STREAM, kind=BadClose))(a_call())
    assert await settling.read() == b"".join(STREAM)
    assert (books.order, books.outcome.end) == (["inner", "middle", "outer"], "answered")
    assert [event for event in books.events if isinstance(event, SettleFailed) and "no socket" in event.error]


async def test_a_cancellation_wins_over_what_breaks_while_settling() -> None:
    settling = await pipeline(Books(), answer(kind=type("BadEndless", (BadClose, Endless), {})))(a_call())
    reader = asyncio.create_task(settling.read())
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader


async def test_two_tasks_closing_at_once_settle_once() -> None:
    books = Books()

    async def dawdle() -> None:
        await asyncio.sleep(0)

    settling = await Pipeline((books.guard("slow", during=dawdle),), sends(answer(*STREAM)))(a_call())
    await asyncio.gather(*(settling.aclose() for _ in range(5)))
    assert books.order == ["slow"]


async def test_a_call_without_guards_is_just_sent() -> None:
    assert await (await Pipeline((), sends(answer(STOP)))(a_call())).read() == STOP


async def test_unwinding_nothing_does_nothing() -> None:
    await unwind((), Outcome(end="answered", status=200), lambda event: None)


async def test_work_that_fails_after_the_caller_was_cancelled_does_not_hide_the_cancellation() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def burst() -> None:
        begun.set()
        await go_on.wait()
        raise ZeroDivisionError

    waiter = asyncio.create_task(finish(burst()))
    await begun.wait()
    waiter.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError) as caught:
        await waiter
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


async def test_work_that_fails_fails_whoever_waits_for_it() -> None:
    async def burst() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await finish(burst())


async def test_work_that_is_itself_cancelled_cancels_whoever_waits_for_it() -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await finish(give_up())


async def test_a_cancelled_wait_for_work_that_is_cancelled_too_ends_cancelled() -> None:
    begun = asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)

    before = asyncio.all_tasks()
    waiter = asyncio.create_task(finish(stubborn()))
    await begun.wait()
    for task in asyncio.all_tasks() - before:
        task.cancel()  # as `asyncio.run` does when it ends
    with pytest.raises(asyncio.CancelledError):
        await waiter


async def test_settling_survives_the_end_of_the_event_loop() -> None:
    books = Books()

    async def main() -> "asyncio.Task[bytes]":
        settling = await pipeline(books, answer(kind=Endless))(a_call())
        reader = asyncio.create_task(settling.read())
        await asyncio.sleep(0)
        return reader

    await asyncio.to_thread(asyncio.run, main())
    assert (books.order, books.outcome.end) == (["inner", "middle", "outer"], "abandoned")


Ending = st.sampled_from(["read", "read elsewhere", "close", "cancel", "leave early"])


async def end_by(ending: str, settling: Settling, after: int) -> None:
    if ending == "read":
        await settling.read()
    elif ending == "read elsewhere":
        await asyncio.create_task(settling.read())
    elif ending == "cancel":
        reader = asyncio.create_task(settling.read())
        for _ in range(after):
            await asyncio.sleep(0)
        reader.cancel()
        await asyncio.wait({reader})
    else:
        for _ in range(after if ending == "leave early" else 0):
            await anext(settling, b"")
        await settling.aclose()


@settings(max_examples=60, deadline=None)
@given(
    ending=Ending, after=st.integers(0, 12), broken=st.sets(st.integers(0, 3)), breaks_at=st.integers(0, 9)
)
def test_however_it_ends_every_guard_settles_exactly_once_in_reverse(
    ending: str, after: int, broken: set[int], breaks_at: int
) -> None:
    books = Books()

    async def burst() -> None:
        await asyncio.sleep(0)
        raise ConnectionError

    def during(number: int) -> Callable[[], Awaitable[object]] | None:
        return burst if number in broken else None

    chunks: Sequence[bytes | BaseException] = [*STREAM[:breaks_at], ConnectionError(), *STREAM[breaks_at:]]

    async def main() -> None:
        guards = tuple(books.guard(str(number), during=during(number)) for number in range(4))
        run = Pipeline(guards, sends(answer(*chunks)), books.events.append)
        settling = await run(a_call())
        try:
            await end_by(ending, settling, after)
        except ConnectionError:
            pass
        finally:
            await settling.aclose()

    asyncio.run(main())
    assert books.order == [name for name in "3210" if int(name) not in broken]
    assert len(books.events) == len(broken)
    assert len({id(outcome) for _, outcome in books.settled}) <= 1


async def stream(settling: Settling) -> AsyncIterator[bytes]:
    async for chunk in settling:
        yield chunk


async def test_a_generator_around_an_answer_may_be_dropped_half_way() -> None:
    books = Books()
    settling = await pipeline(books, answer(*STREAM))(a_call())
    reading = stream(settling)
    await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined]  # it is an asynchronous generator
    await settling.aclose()
    assert books.outcome.end == "abandoned"


async def test_an_error_says_how_often_the_upstream_had_been_asked() -> None:
    call = a_call()

    async def send(call: Call) -> Response:
        call.tally.attempts = 2
        raise CallNotPermitted("closed")

    with pytest.raises(CallNotPermitted) as caught:
        await Pipeline((), send)(call)
    assert caught.value.attempts == 2
