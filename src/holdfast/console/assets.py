"""The files that pages refer to: each under a path with a hash of what it holds, compressed once, kept for ever."""

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import resources

from starlette.responses import Response

from holdfast.wire.headers import Headers, get

FOLDER = "/console/static"
KINDS = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"
FILES = (
    "console.css",
    "console.js",
    "charts.js",
    "tail.js",
    "ok.svg",
    "warn.svg",
    "bad.svg",
    "vendor/htmx.min.js",
    "vendor/hx-csp.min.js",
    "vendor/uplot.min.js",
    "vendor/uplot.min.css",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file."""

    name: str
    digest: str
    kind: str
    plain: bytes
    compressed: bytes

    @property
    def path(self) -> str:
        """Where browsers find it."""
        return f"{FOLDER}/{self.digest}/{self.name}"


@cache
def assets() -> dict[str, Asset]:
    """Every file by its name, read when the first page is made."""
    return {name: _read(name) for name in FILES}


def asset_path(name: str) -> str:
    """Where browsers find a file."""
    return assets()[name].path


def answer(path: str, headers: Headers) -> Response | None:
    """The file at a path, compressed for whoever can read that; `None` where there is none."""
    asset = next((one for one in assets().values() if one.path == path), None)
    if asset is None:
        return None
    common = {"cache-control": FOR_EVER, "etag": f'"{asset.digest}"', "vary": "accept-encoding"}
    if get(headers, "if-none-match") == f'"{asset.digest}"':
        return Response(status_code=304, headers=common)
    if "gzip" in (get(headers, "accept-encoding") or "").lower():
        common["content-encoding"] = "gzip"
        return Response(asset.compressed, media_type=asset.kind, headers=common)
    return Response(asset.plain, media_type=asset.kind, headers=common)


def _read(name: str) -> Asset:
    content = resources.files("holdfast.console").joinpath("static", *name.split("/")).read_bytes()
    return Asset(
        name=name,
        digest=sha256(content).hexdigest()[:16],
        kind=KINDS[name[name.rindex(".") :]],
        plain=content,
        compressed=gzip.compress(content, 9, mtime=0),
    )
