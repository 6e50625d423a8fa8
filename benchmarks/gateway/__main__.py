"""`python -m benchmarks.gateway`: start all of them, press them in turn, print the tables and the goals."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType

import uvloop

from benchmarks.gateway import load, peers, sheet
from benchmarks.gateway.process import LOAD_CORE, Server, free_port, start, stop
from benchmarks.gateway.run import FULL, QUICK, Contender, Plan, Seen, press, until_ready

PEERS = ("nginx", "litellm", "portkey")
CACHE = Path(tempfile.gettempdir()) / "holdfast-peers"


class Yard:
    """The servers of one run, and the folder that they write to; all of it goes when the run ends."""

    def __init__(self, cache: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
        self.cache = cache
        self.upstream = free_port()
        self.servers: list[Server] = []

    def begin(self, command: peers.Command, *, headers: str = "", core: str | None = None) -> Contender:
        pinned = {} if core is None else {"core": core}
        log = self.folder / f"{len(self.servers)}.log"
        server = start(command.name, command.argv, command.port, env=command.env, log=log, **pinned)
        self.servers.append(server)
        target = load.Target(port=command.port, headers=headers)
        return Contender(server=server, target=target, seen=Seen(name=command.name))

    def close(self) -> None:
        for server in self.servers:
            stop(server)
        shutil.rmtree(self.folder, ignore_errors=True)

    def direct(self) -> Contender:
        argv = (sys.executable, "-m", "benchmarks.gateway.stub", str(self.upstream))
        return self.begin(peers.Command(name=sheet.DIRECT, argv=argv, port=self.upstream), core=LOAD_CORE)

    def bare(self) -> Contender:
        port = free_port()
        argv = (sys.executable, "-m", "benchmarks.gateway.bare", self.address, str(port))
        return self.begin(peers.Command(name=sheet.BARE, argv=argv, port=port))

    def own(self, budgets: str) -> Contender:
        port, store = free_port(), self.folder / f"calls-{budgets}.db"
        argv = (sys.executable, "-m", "benchmarks.gateway.own", self.address, str(port), str(store), budgets)
        name = sheet.OWN if budgets == "on" else sheet.OFF
        env = {"HOLDFAST_HOME": str(self.folder / f"home-{budgets}")}
        return self.begin(peers.Command(name=name, argv=argv, port=port, env=env))

    def peer(self, name: str) -> Contender | None:
        found, headers = self._command(name)
        if isinstance(found, peers.Missing):
            print(f"{found.name}: not measured, {found.why}")
            return None
        return self.begin(found, headers=headers)

    def said(self, one: Contender) -> str:
        """The last that a server has said."""
        log = self.folder / f"{self.servers.index(one.server)}.log"
        return log.read_text(errors="replace")[-800:]

    def _command(self, name: str) -> tuple[peers.Command | peers.Missing, str]:
        port = free_port()
        match name:
            case "nginx":
                return peers.nginx(self.upstream, port, self.folder), ""
            case "litellm":
                return peers.litellm(self.upstream, port, self.folder, self.cache), ""
            case _:
                host = f"x-portkey-provider: anthropic\r\nx-portkey-custom-host: {self.address}/v1\r\n"
                return peers.portkey(self.upstream, port, self.cache), host

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.upstream}"


async def measure(yard: Yard, names: Iterable[str], plan: Plan) -> list[Seen]:
    """Start one after the other, so that each start is timed alone; press those that answer."""
    contenders: list[Contender] = []
    starts: list[Callable[[], Contender | None]] = [yard.direct, yard.bare]
    starts += [
        partial(yard.own, "on"),
        partial(yard.own, "off"),
        *(partial(yard.peer, name) for name in names),
    ]
    for begin in starts:
        one = begin()
        if one is None:
            continue
        if await until_ready(one):
            contenders.append(one)
        else:
            print(f"{one.seen.name}: not measured, it did not begin to answer\n{yard.said(one)}")
    await press(contenders, plan)
    return [one.seen for one in contenders]


def main() -> int:
    """Measure and print; the exit code says nothing of goals, which a busy machine may miss by itself."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="about a minute, one round, no peers unless named"
    )
    parser.add_argument("--peers", help=f"which gateways beside us: {','.join(PEERS)} (the default), or none")
    parser.add_argument("--rounds", type=int, help="how often everything is pressed (3)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where peers are installed and kept")
    asked = parser.parse_args()
    default = () if asked.quick else PEERS
    names = (
        default if asked.peers is None else tuple(name for name in asked.peers.split(",") if name in PEERS)
    )
    plan = QUICK if asked.quick else FULL
    plan = replace(plan, rounds=asked.rounds or plan.rounds)
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    yard = Yard(asked.cache)

    def leave(number: int, frame: FrameType | None) -> None:
        # Not by an exception: one that is raised in a callback of the loop is only logged there.
        yard.close()
        os._exit(1)

    # Whoever stops us stops the servers, too: they are sessions of their own.
    signal.signal(signal.SIGTERM, leave)
    try:
        seen = uvloop.run(measure(yard, names, plan))
    finally:
        yard.close()
    print(
        f"\nload of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; medians of {plan.rounds} rounds\n"
    )
    print(sheet.requests(seen), sheet.streams(seen, plan.crowd), sep="\n\n")
    print("\n" + "\n".join(goal.line() for goal in sheet.goals(seen, plan.crowd)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
