"""The files that pages load: named after their content, so that a browser keeps each for ever and never an old one."""

import gzip
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

FOLDER: Final = Path(__file__).parent / "static"
KINDS: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    name: str
    content: bytes
    packed: bytes
    kind: str
    tag: str


class Assets:
    """All files of the folder, read once."""

    def __init__(self, folder: Path = FOLDER) -> None:
        found = (_asset(path) for path in sorted(folder.rglob("*")) if path.suffix in KINDS)
        self._by_file = dict(found)
        self._by_name = {asset.name: asset for asset in self._by_file.values()}

    def url(self, file: str) -> str:
        """Return the address of a file by its plain name."""
        return f"/static/{self._by_file[file].name}"

    async def serve(self, request: Request) -> Response:
        """Answer with a file, or with nothing when the browser has it."""
        asset = self._by_name.get(request.path_params["name"])
        if asset is None:
            return Response("There is no such file.\n", status_code=404, media_type="text/plain")
        headers = {"ETag": asset.tag, "Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
        if asset.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(asset.packed, media_type=asset.kind, headers=headers)
        return Response(asset.content, media_type=asset.kind, headers=headers)


def _asset(path: Path) -> tuple[str, Asset]:
    content = path.read_bytes()
    digest = sha256(content).hexdigest()[:16]
    return path.name, Asset(
        name=f"{path.stem}.{digest}{path.suffix}",
        content=content,
        packed=gzip.compress(content, mtime=0),
        kind=KINDS[path.suffix],
        tag=f'"{digest}"',
    )
