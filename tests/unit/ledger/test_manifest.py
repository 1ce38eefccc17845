"""A closing manifest says how many entries a stream has and which."""

import pytest

from glideslope.ledger import canonical, manifest, merkle
from glideslope.ledger.errors import ManifestError

STREAM = merkle.Tree([merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b"), merkle.leaf_hash(b"c")])
ROOT = "Avu6xvGJ9oFo8pW0o" + "A" * 26 + "="


def test_a_manifest_is_read_back_from_its_body() -> None:
    made = manifest.of(STREAM)

    assert made.count == 3
    assert manifest.read(manifest.body(made)) == made


def test_its_body_is_json() -> None:
    body = manifest.body(manifest.of(STREAM))

    assert canonical.decode(canonical.encode(body)) == body


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"count": 1},
        {"count": 1, "root": ROOT, "more": 1},
        {"count": -1, "root": ROOT},
        {"count": 1.5, "root": ROOT},
        {"count": True, "root": ROOT},
        {"count": "1", "root": ROOT},
        {"count": 1, "root": "AAAA"},
        {"count": 1, "root": "!"},
        {"count": 1, "root": None},
    ],
    ids=str,
)
def test_a_body_that_is_no_manifest_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(ManifestError):
        manifest.read(body)
