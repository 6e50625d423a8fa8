"""`holdfast` whose workers count as lost after a second: what a test can wait for. Arguments are those of the command."""

from holdfast import stations
from holdfast.cli.main import main
from holdfast.guards import budget

LEASE = 1.0


def shorten() -> None:
    """Heed a lost worker after a second, and look for lost workers four times a second."""
    budget.LEASE = LEASE
    budget.BEAT = LEASE / 3
    stations.SWEEP_EVERY = LEASE / 4


if __name__ == "__main__":
    shorten()
    main()
