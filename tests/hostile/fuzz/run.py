"""Feeds every target with new inputs until the time is over: `python -m tests.hostile.fuzz.run --seconds 120`."""

import argparse
import sys
import traceback
from importlib import import_module
from importlib.util import find_spec
from random import Random
from typing import Any

from holdfast.clock import SYSTEM_CLOCK
from tests.hostile.fuzz.corpus import keep, stored
from tests.hostile.fuzz.mutation import mutated
from tests.hostile.fuzz.targets import TARGETS
from tests.hostile.fuzz.trial import attempt

NO_ATHERIS = "fuzz: --guided needs atheris, which is not installed; install it, or leave --guided away\n"


def main(arguments: list[str]) -> int:
    """0: nothing found. 1: an input broke something; it is kept, and the suite fails on it from now on."""
    parser = argparse.ArgumentParser(prog="dev.py fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="in all, over every target")
    parser.add_argument("--seed", type=int, help="repeat the inputs of another run")
    parser.add_argument(
        "--target", choices=sorted(TARGETS), action="append", help="only this one; repeatable"
    )
    parser.add_argument(
        "--guided", action="store_true", help="let atheris choose inputs by coverage; one target"
    )
    asked = parser.parse_args(arguments)
    targets: list[str] = asked.target or sorted(TARGETS)
    if asked.guided:
        return guided(targets[0], asked.seconds)
    seed: int = Random().randrange(2**32) if asked.seed is None else asked.seed
    tried = sum(fuzz(target, Random(f"{seed}-{target}"), asked.seconds / len(targets)) for target in targets)
    sys.stdout.write(f"fuzz: {tried:,} inputs on {len(targets)} targets, seed {seed}: nothing broke\n")
    return 0


def fuzz(target: str, dice: Random, seconds: float) -> int:
    """Try new inputs for so long, and give their number; the first that breaks something ends it all."""
    end = SYSTEM_CLOCK.monotonic() + seconds
    corpus = stored()
    tried = 0
    while SYSTEM_CLOCK.monotonic() < end:
        data = mutated(dice, corpus)
        try:
            attempt(target, data)
        except Exception:
            traceback.print_exc()
            sys.stderr.write(f"fuzz: {target} broke; the input is kept in {keep(target, data)}\n")
            raise SystemExit(1) from None
        tried += 1
    return tried


def guided(target: str, seconds: float) -> int:
    """Hand the target to atheris, which never returns."""
    if find_spec("atheris") is None:
        sys.stderr.write(NO_ATHERIS)
        return 2
    atheris: Any = import_module("atheris")
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-max_total_time={int(seconds)}", "-rss_limit_mb=4096"], TARGETS[target])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
