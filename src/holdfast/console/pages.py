"""Every page of the console, in the order of the rail."""

from holdfast.console import (
    alerts,
    config,
    guard,
    health,
    keys,
    now,
    playground,
    request,
    requests,
    run,
    runs,
    spend,
    stop,
    upstreams,
)
from holdfast.console.page import Page

PAGES: tuple[Page, ...] = (
    now.PAGE,
    requests.PAGE,
    request.PAGE,
    runs.PAGE,
    run.PAGE,
    stop.PAGE,
    spend.PAGE,
    guard.PAGE,
    upstreams.PAGE,
    keys.PAGE,
    alerts.PAGE,
    health.PAGE,
    config.PAGE,
    playground.PAGE,
)
