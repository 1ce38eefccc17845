"""Packs, searches, pages of the past and people, by HTTP and on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from glideslope.domain.governing.person import Person
from glideslope.interfaces.document import policies
from glideslope.ledger import checkpoint, cosignature, note
from glideslope.ledger.checkpoint import Checkpoint
from glideslope.testing.memory import MemorySigner

Desk = Any
Http = Any
Service = Any


@pytest.fixture
def rollout(desk: Desk) -> str:
    Path("glideslope.yaml").write_text("model: late-arrival\ncandidate: v2\nowner: o@example.com\nwhy: better\n")
    assert desk.run("apply").exit_code == 0
    return "late-arrival-1"


def kept(size: int) -> Path:
    text = checkpoint.format(Checkpoint(origin="test-ledger", size=size, root=b"\1" * 32))
    path = Path(f"kept-{size}.note")
    path.write_bytes(MemorySigner().sign(text.encode()))
    return path


def test_a_pack_is_written_with_its_page_beside_it(desk: Desk, service: Service, rollout: str) -> None:
    done = desk.run("pack", rollout, "--html", "--published", str(kept(3)), "--published", str(kept(7)), "--json")

    assert json.loads(done.stdout)["file"] == f"{rollout}.pack.zip"
    assert Path(f"{rollout}.pack.zip").read_bytes()[:2] == b"PK"
    assert Path(f"{rollout}.pack.zip.html").read_bytes() == b"<p>the page</p>"
    assert service.packs == [(None, (3, 7))]


def test_a_pack_at_an_older_checkpoint_is_asked_for_by_its_size(desk: Desk, service: Service, rollout: str) -> None:
    assert desk.run("pack", rollout, "-o", "x.zip", "--checkpoint", "9").exit_code == 0
    assert service.packs == [(9, ())]
    assert not Path("x.zip.html").exists()


def test_what_is_no_checkpoint_is_refused_before_anything_is_asked(desk: Desk, service: Service, rollout: str) -> None:
    Path("x.note").write_text("hello\n")

    assert desk.run("pack", rollout, "--published", "x.note").exit_code == 2
    assert desk.run("pack", "r-0404").exit_code == 2
    assert service.packs == []


def test_a_checkpoint_is_printed_written_or_asked_about_as_a_witness_is(desk: Desk) -> None:
    assert desk.run("checkpoint").stdout == "l\n3\nAA==\n"
    assert desk.run("checkpoint", "--request", "2").stdout == "old 2\n\nl\n3\nAA==\n"
    done = desk.run("checkpoint", "-o", "kept.note")
    assert Path("kept.note").read_text() == "l\n3\nAA==\n"
    assert "over 3 entries, which 0 of 2 known witnesses have seen" in done.stdout
    assert json.loads(desk.run("checkpoint", "--size", "3", "--json").stdout)["witnesses"] == 2
    assert desk.run("checkpoint", "--size", "4").exit_code == 2
    assert desk.run("checkpoint", "--cosigned", "1").exit_code == 2


def test_what_a_witness_signed_is_handed_in_without_the_ledgers_own_line(desk: Desk, service: Service) -> None:
    witness = note.Signer("witness.example/1", b"w" * 32)
    path = kept(3)
    line = cosignature.line(witness, note.parse(path.read_bytes()).text, time=7)
    assert desk.run("cosign", str(path)).exit_code == 2, "only the ledger itself has signed it"
    path.write_bytes(path.read_bytes() + line)
    Path("lines").write_bytes(line)

    done = desk.run("cosign", str(path))
    assert "which 1 of 2 known witnesses have seen" in done.stdout
    assert desk.run("cosign", "lines").exit_code == 2, "which checkpoint it is of is not in a line"
    assert len(json.loads(desk.run("cosign", "lines", "--size", "3", "--json").stdout)["cosigned"]) == 2
    assert desk.run("cosign", "lines", "--size", "3", "--dry-run").exit_code == 0
    assert desk.run("cosign", "lines", "--size", "4").exit_code == 2
    assert service.cosignatures == [line.decode(), line.decode()]


def test_a_dossier_is_written_as_a_policy_reads_it(desk: Desk, rollout: str) -> None:
    assert desk.run("dossier", rollout, "-o", "dossier.json").exit_code == 0
    again = policies.read_dossier(Path("dossier.json").read_text(), file="dossier.json")
    assert again == policies.read_dossier(desk.run("dossier", rollout).stdout, file="printed")
    assert desk.run("dossier", "r-0404").exit_code == 2


def test_readers_may_look_at_checkpoints_and_not_hand_in_cosignatures(http: Http, service: Service) -> None:
    reader = {"Authorization": "Bearer gs_reader"}

    assert http.get("/v1/ledger/checkpoint", headers=reader).json()["size"] == 3
    assert http.get("/v1/ledger/checkpoint/request?older=1", headers=reader).text.startswith("old 1\n")
    path, body = "/v1/ledger/checkpoint/cosignatures", {"size": 3, "lines": "x"}
    assert http.post(path, json=body, headers=reader).status_code == 401
    assert service.cosignatures == []
    assert http.post(path, json=body).json()["cosigned"][0]["witness"] == "x"


def test_a_search_goes_out_as_it_was_typed_and_shows_where_to_look_next(desk: Desk, service: Service) -> None:
    done = desk.run("search", "author:grace", '"evening flights"', "--limit", "7")

    assert done.exit_code == 0
    assert service.questions == [('author:grace "evening flights"', 7, None, False)]
    assert "grace approves: fine" in done.stdout
    assert "--below 12" in done.stdout
    assert "glideslope show r-0001 --as-of 12" in done.stdout


def test_a_field_that_is_not_known_is_refused_here(desk: Desk, service: Service) -> None:
    done = desk.run("search", "colour:red")

    assert (done.exit_code, service.questions) == (2, [])
    assert "author" in done.stderr


def test_all_that_is_found_is_exported_page_by_page(desk: Desk, service: Service) -> None:
    assert desk.run("search", "author:grace", "--export", "found.jsonl").exit_code == 0
    lines = [json.loads(line) for line in Path("found.jsonl").read_text().splitlines()]

    assert lines == [{"position": n, "entry": {"kind": "approval-given"}} for n in (12, 3)]
    assert [below for _, _, below, _ in service.questions] == [None, 12]


def test_a_reader_may_search_and_fetch_packs_and_not_touch_people(http: Http, service: Service, rollout: str) -> None:
    reader = {"Authorization": "Bearer gs_reader"}

    assert http.get("/v1/search?q=author:grace", headers=reader).status_code == 200
    found = http.get(f"/v1/rollouts/{rollout}/pack?published=3&checkpoint=9", headers=reader)
    assert (found.status_code, found.headers["content-type"]) == (200, "application/zip")
    assert service.packs == [(9, (3,))]
    assert http.get("/v1/people", headers=reader).status_code == 401
    assert http.post("/v1/people/a-17", json={"name": "Ana"}, headers=reader).status_code == 401


def test_a_page_of_the_past_is_asked_for_with_the_entry(desk: Desk, service: Service, rollout: str) -> None:
    assert desk.run("show", rollout, "--as-of", "12").exit_code == 0
    assert service.asked_as_of == 12
    assert desk.run("show", "late-arrival", "--as-of", "3").exit_code == 0
    assert service.asked_as_of == 3


def test_a_person_is_said_shown_and_erased(desk: Desk, service: Service) -> None:
    assert desk.run("people", "set", "a-17", "--name", "Ana", "--email", "ana@example.org").exit_code == 0
    assert service.persons == {"a-17": Person(name="Ana", email="ana@example.org")}
    assert "Ana, ana@example.org" in desk.run("people", "show", "a-17").stdout
    assert "a-17" in desk.run("people", "ls").stdout
    done = desk.run("people", "erase", "a-17", "-m", "asked to")
    assert service.persons == {"a-17": None}
    assert "Not erased" in done.stdout
    assert desk.run("people", "show", "b-4").exit_code == 2
    assert desk.run("people", "erase", "a-17", "-m", "again", "--dry-run").exit_code == 0


def test_members_change_only_what_is_kept_about_themselves(http: Http, service: Service) -> None:
    member = {"Authorization": "Bearer gs_member"}
    own = service.identify("gs_member").actor

    assert http.post(f"/v1/people/{own}", json={"name": "I"}, headers=member).status_code == 200
    assert http.post("/v1/people/somebody", json={"name": "X"}, headers=member).status_code == 401
    assert http.post("/v1/people/somebody/erase", json={"why": "x"}, headers=member).status_code == 401
    assert http.post("/v1/people/somebody", json={"name": "X"}).status_code == 200
    assert http.post("/v1/people/a%0Ab", json={"name": "X"}).status_code == 422
