"""A gateway that is killed while an answer flows: the next one presumes what it held, and the sums are right."""

import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from holdfast.policy.budget import BudgetConfig
from holdfast.policy.holds import nano
from holdfast.simulator import Stall
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import eventually
from tests.doors.talking import QUESTION, ask
from tests.journeys.commands import PATIENCE, Server, surroundings
from tests.money.till import Till, till
from tests.money.waiting import waiting

LARGE = {**QUESTION, "max_tokens": 1_000}
"""What the killed stream holds leaves no room for another one like it."""
CONFIG = """
[store]
url = "sqlite:///{path}"

[budgets.everybody]
usd = "0.005"
per = "day"
"""


@contextmanager
def a_process(money: Till) -> Generator[Server]:
    """A gateway process over the till's file, with short leases."""
    folder = money.path.parent
    config = folder / "holdfast.toml"
    config.write_text(CONFIG.format(path=money.path), encoding="utf-8")
    arguments = ("serve", "--config", str(config), "--port", "0", "--upstream", money.simulator.url)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.money.short_lease", *arguments],
        env=surroundings(folder),
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        server = Server(process)
        reader = threading.Thread(target=server.read)
        reader.start()
        try:
            eventually(lambda: "http://" in server.said or process.poll() is not None)
            assert process.poll() is None, server.said
            yield server
        finally:
            process.kill()
            reader.join(PATIENCE)


def test_the_next_process_presumes_what_a_killed_one_held(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    money = till(simulator, tmp_path, {"everybody": BudgetConfig(usd=Decimal("0.005"), per="day")})
    simulator.simulator.fault(Stall(after_events=6))
    with a_process(money) as server, waiting([server.url], (True,)) as (call,):
        server.process.kill()
        call.join()
        assert b"message_stop" not in call.heard
    (held,) = money.attempts()
    assert held.state == "held"
    ((_, (settled, reserved)),) = money.windows().items()
    assert (settled, reserved) == (0, nano(held.hold_pico or 0))
    with a_process(money) as server:
        assert ask(server.url, LARGE).status == 429  # held or presumed: what may have been spent is no room
        eventually(lambda: money.attempts()[0].state == "expired")
        (lost,) = money.attempts()
        assert (lost.id, lost.kind, lost.cost_pico, lost.estimated) == (held.id, "lost", held.hold_pico, True)
        ((_, (settled, reserved)),) = money.windows().items()
        assert (settled, reserved) == (nano(held.hold_pico or 0), 0)
        simulator.drain()
        assert money.billed <= Decimal(lost.cost_pico or 0) / 10**12
        assert ask(server.url, LARGE).status == 429
        short = ask(server.url, {**QUESTION, "max_tokens": 20})
        assert short.status == 200
        eventually(lambda: all(row.state != "held" for row in money.attempts()))
    rows = {row.state: row.cost_pico or 0 for row in money.attempts()}
    assert set(rows) == {"expired", "settled"}
    ((_, (settled, reserved)),) = money.windows().items()
    assert (settled, reserved) == (sum(nano(cost) for cost in rows.values()), 0)
