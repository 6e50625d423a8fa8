"""holdfast as it is served, with its default guards; `off` takes the budgets away, which the command line would not."""

import sys
from dataclasses import replace
from decimal import Decimal

from holdfast.cli.serve import run
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.gateway import GatewayConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import Settings, StoreConfig


def main(upstream: str, port: int, store: str, budgets: str) -> None:
    """Serve until told to stop."""
    settings = Settings.load(None)
    limits = {} if budgets == "off" else {"all": BudgetConfig(usd=Decimal(1_000_000), per="day")}
    run(
        replace(
            settings,
            upstreams={"stub": UpstreamConfig(url=upstream)},
            store=replace(StoreConfig(), url=f"sqlite:///{store}"),
            budgets=limits,
            gateway=replace(GatewayConfig(), port=port),
        ),
        moveable=False,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
