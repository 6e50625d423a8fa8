"""What is said of a bug: where it is, and nothing that anybody keeps secret."""

import os
import sys
import threading
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import TracebackType

LONGEST = 20_000
"""Characters of a trace; the end says most."""
SHORTEST_SECRET = 6
"""Characters of a value in the environment that is taken out of a trace."""
FOLDERS = ("PWD", "OLDPWD")


@contextmanager
def told() -> Generator[None]:
    """What crashes from here on, in this process's main thread or any other, is told without secrets."""
    sys.excepthook = crashed
    before, threading.excepthook = threading.excepthook, _thread_crashed
    try:
        yield
    finally:
        threading.excepthook = before


def crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write a trace to stderr: an error may quote what it could not bear."""
    text = "".join(traceback.format_exception(kind, error, trace))
    sys.stderr.write(harmless(text, os.environ)[-LONGEST:])


def harmless(text: str, environment: Mapping[str, str]) -> str:
    """A text without what has the shape of a secret, and without what the environment calls one."""
    from holdfast.policy.masking import mask

    for name, value in environment.items():
        if len(value) >= SHORTEST_SECRET and _is_secret(name, value):
            text = text.replace(value, f"[{name}]")
    return mask(text)


def _is_secret(name: str, value: str) -> bool:
    from holdfast.policy.masking_names import judge

    if name in FOLDERS:
        return False
    return judge(name) is not None or name.endswith("PEPPER") or ("://" in value and "@" in value)


def _thread_crashed(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit and args.exc_value is not None:
        crashed(args.exc_type, args.exc_value, args.exc_traceback)
