"""The first page in a real browser: light, quiet, and nobody's business but ours."""

from collections.abc import Callable

import pytest

from tests.browser.conftest import Watched

MOST_BYTES = 150 * 1024
MOST_REQUESTS = 12


@pytest.mark.requirement("console:light")
def test_the_first_page_is_light_and_asks_nobody_else(entered: Callable[..., Watched]) -> None:
    browser = entered()
    browser.page.wait_for_selector(".uplot")
    first = next(place for place, one in enumerate(browser.requests) if one.url.endswith("/console/now"))
    asked = [one for one in browser.requests[first:] if "part=live" not in one.url]
    seen: dict[str, int] = {}
    for one in asked:
        if one.response() is None:
            continue  # given up by the browser, such as the icon of a page that it has left
        sizes = one.sizes()
        # What came with the login page counts as well, although browsers keep it.
        seen[one.url] = max(seen.get(one.url, 0), sizes["responseBodySize"] + sizes["responseHeadersSize"])
    assert len(seen) <= MOST_REQUESTS, list(seen)
    assert sum(seen.values()) <= MOST_BYTES
    assert browser.outside() == set()
    assert browser.troubles == []
    browser.picture("now-empty")
