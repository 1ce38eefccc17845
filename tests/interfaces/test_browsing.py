"""A recorded run of the demo as pages: a copy that was verified, and a tour that is drawn from it."""

import asyncio
import gzip
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.interfaces.test_dashboard import Browser

from glideslope.adapters.stores.sqlite.store import SqliteStore
from glideslope.engine.copies import Copy
from glideslope.interfaces.api.app import create_app
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.shipped import RECORDED_KEY, RECORDED_RUN, shipped, shipped_bytes
from glideslope.interfaces.dashboard.site import beside, create_site
from glideslope.wiring.browsing import copy_of

TOKEN = "gs_looker"  # noqa: S105 - of a copy in this test


@pytest.fixture(scope="module")
def looking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A reader before the recorded run."""
    lines = gzip.decompress(shipped_bytes(RECORDED_RUN)).splitlines(keepends=True)
    secrets = (f"secret-{number:032d}" for number in count(1))
    with asyncio.Runner() as runner:
        store = SqliteStore(tmp_path_factory.mktemp("copy") / "copy.sqlite")
        app: Copy = runner.run(copy_of(lines, store=store, key=shipped(RECORDED_KEY).strip(), token=TOKEN))
        site = create_site(app, monotonic=lambda: 0.0, chance=lambda: next(secrets))
        browser = Browser(beside(create_app(app, new_key=lambda: next(secrets)), site), runner)
        browser.sign_in(TOKEN)
        yield browser
        runner.run(store.close())


def stops(page: str) -> list[tuple[str, str]]:
    return [
        (address.replace("&amp;", "&"), title)
        for address, title in re.findall(r'<li id="stop-\d"><a href="([^"]+)">([^<]+)</a>', page)
    ]


def test_the_tour_shows_what_happened_and_each_stop_leads_on(looking: Browser) -> None:
    found = stops(looking.get("/tour").text)
    titles = [title for _, title in found]

    assert 6 <= len(found) <= 8
    assert any(title.startswith("Offline, v3 looked better") for title in titles)
    assert any(title.startswith("Here v3 looked") for title in titles)
    assert titles.index("Here it was held") < titles.index("Here it was withdrawn, and why")
    for number, (address, title) in enumerate(found, start=1):
        page = looking.get(address)
        assert page.status_code == 200, address
        assert f"Tour, {number} of {len(found)}. {title}" in page.text
        if number < len(found):
            assert f"Next: {titles[number]}" in page.text
        assert looking.get(f"/tour/{number}").headers["location"] == address
    assert looking.get("/tour/99").headers["location"] == "/tour"
    withdrawn = looking.get(found[titles.index("Here it was withdrawn, and why")][0]).text
    assert "v2 serves everybody again" in withdrawn
    assert "has not confirmed" not in withdrawn
    assert "Tour, 2 of" not in looking.get("/?tour=2").text


def test_the_copy_checks_itself_proves_an_entry_and_signs_nothing(looking: Browser) -> None:
    whole = looking.get("/ledger/verify").text
    assert "The ledger is as signed and as decided" in whole
    assert "cannot show that this server shows everybody the same record" in whole
    assert "recomputed just now" in looking.get("/ledger/3").text
    assert looking.get("/ledger/3/entry.tlog-proof").text.startswith("c2sp.org/tlog-proof@v1\nindex 3\n")
    assert looking.get("/ledger/ledger.bundle").content == gzip.decompress(shipped_bytes(RECORDED_RUN))

    pack = looking.get("/rollouts/r-0002/pack.zip", headers={"Accept": "text/html"})
    assert pack.status_code == 403
    assert "record-copy" in pack.text


def test_a_copy_stands_at_its_last_entry(looking: Browser) -> None:
    last = re.findall(r'datetime="([^"]+)"', looking.get("/ledger/57").text)[0]
    page = looking.get("/").text

    assert f'as of <time datetime="{last}"' in page
    assert "Gateway: none: a copy of a record" in page
    assert "Asked of" not in page


def test_a_decision_is_made_again_in_place(looking: Browser) -> None:
    page = looking.get("/rollouts/r-0002").text
    versions = re.findall(r'href="/rollouts/r-0002/decisions/(\d+)"', page)

    assert versions
    for version in versions[:3]:
        assert "the same decision, byte for byte" in looking.get(f"/rollouts/r-0002/decisions/{version}").text
    assert looking.get("/rollouts/r-0002/decisions/999").status_code == 404


@pytest.mark.parametrize("window", ["", "?window=the+last+5", "?window=s4", "?window=nothing"])
def test_a_guardrail_is_shown_look_by_look(looking: Browser, window: str) -> None:
    page = looking.get(f"/rollouts/r-0002/guardrails/log_loss{window}")

    assert page.status_code == 200
    assert looking.get("/rollouts/r-0002/guardrails/nothing").status_code == 404


def test_versions_are_compared_with_what_they_were_made_from_and_what_came_of_them(looking: Browser) -> None:
    page = looking.get("/models/late-arrival/compare?a=v2&b=v3").text
    assert "r-0002" in page
    assert page.count('class="differs"') >= 4
    assert "compared with itself" in looking.get("/models/late-arrival/compare?a=v3&b=v3").text
    assert looking.get("/models/late-arrival/compare?a=v2&b=v99").status_code == 404

    shown = looking.get("/models/late-arrival/versions/v3").text
    assert '<svg class="chart lineage"' in shown
    assert "left here" in shown
    assert looking.get("/models/late-arrival/versions/v3/card.md").text.startswith("---\n")
    assert looking.get("/models/late-arrival/versions/v3/bom.json").json()["bomFormat"] == "CycloneDX"


def test_what_was_found_is_taken_along_an_entry_a_line(looking: Browser) -> None:
    lines = looking.get("/ledger/entries.jsonl?q=decision:roll-back").text.splitlines()

    assert len(lines) == 1
    assert lines[0].startswith('{"position":')
    assert looking.get("/ledger/entries.jsonl?q=colour:red").status_code == 422


def test_browse_shows_a_record_only_once_it_is_verified(desk: Any, tmp_path: Path) -> None:
    whole = gzip.decompress(shipped_bytes(RECORDED_RUN))
    changed = tmp_path / "changed.bundle"
    changed.write_bytes(whole.replace(b'"granted":true', b'"granted":false', 1))
    sound = tmp_path / "sound.bundle"
    sound.write_bytes(whole)
    key = shipped(RECORDED_KEY).strip()

    refused = desk.run("browse", str(changed), "--key", key)
    assert (refused.exit_code, desk.started) == (Exit.NOT_VERIFIED, [])
    assert "leaf-hash-mismatch" in refused.output
    assert desk.run("browse", str(sound)).exit_code == 2
    assert desk.run("browse", str(sound), "--key", key, "--port", "7").exit_code == 0
    assert desk.run("browse").exit_code == 0
    assert [(name, given["port"], len(given["lines"])) for name, given in desk.started] == [
        ("browse", 7, len(whole.splitlines())),
        ("browse", 0, len(whole.splitlines())),
    ]
