"""The command `holdfast`, and `python -m holdfast`."""

import sys

from holdfast.version import __version__


def start() -> None:
    """Run the command line; whoever only asks for the version gets it before anything is loaded."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"holdfast, version {__version__}\n")
        return
    from holdfast.cli.main import main

    main()


if __name__ == "__main__":
    start()
