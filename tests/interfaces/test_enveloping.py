"""Envelopes at the terminal: started from a template, tried on a change, agreed on, compared, and shown where a change is shown."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.interfaces.test_agreeing import ORGANISATION
from tests.interfaces.test_cli import ID, applied
from tests.scenarios.enveloped import made
from tests.unit.domain.governing.test_envelope import NOW, dossier

from glideslope.domain.governing.envelope import Envelope
from glideslope.domain.governing.kinds import KINDS
from glideslope.engine.governing_views import ClauseView, GovernedView, GrantView, LaneView, NeedView
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.shipped import POLICIES
from glideslope.interfaces.document import agreements

ENVELOPE = """\
envelope: 1
name: monthly
models: [delays]
until: 2027-12-31
falls_away: [product]
features: {}
architecture: {settings: {depth: {least: 3, most: 8}}}
data: {newest: 45d, longest: 400d, shortest: 30d}
metrics: [{metric: auc, least: 0.7, most: 0.9, rows: 1000}]
exposure: {first: 10%, most: 50%, step: 5s, growth: 5}
proof: {guardrails: {errors: 0.05, latency: 25%, log_loss: 0.15}, alpha_pass: 5%, slices: [origin]}
"""
LANE = LaneView(
    envelope="monthly",
    digest="sha256:" + "e" * 64,
    inside=False,
    left=(ClauseView(clause="settings", answer="fail", why="depth is 9; the envelope allows 3 to 8"),),
    held=(ClauseView(clause="use", answer="pass", why="its intended use does not change"),),
    closed="it is outside",
    given=(),
    missing=(NeedView(function="product", count=1), NeedView(function="security", count=2)),
)
INSIDE = msgspec.structs.replace(
    LANE,
    inside=True,
    left=(),
    closed="",
    given=(GrantView(by="mia", functions=("product",), at="2026-11-20T09:00:00.000Z", until=""),),
    missing=(),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "envelope.yaml"
    path.write_text(ENVELOPE)
    return path


@pytest.mark.parametrize("kind", POLICIES)
def test_each_template_can_be_tabled_and_overwrites_nothing(desk: Any, kind: str) -> None:
    assert desk.run("agree", "new", "envelope", "--for", kind).exit_code == 0
    assert desk.run("agree", "new", "envelope", "--for", kind).exit_code == Exit.REFUSED
    told = desk.run("agree", "check", "envelope.yaml")
    assert told.exit_code == 0, told.stderr
    assert "A candidate is inside when each of these is shown to hold" in told.stdout
    found = agreements.envelope(Path("envelope.yaml").read_text(encoding="utf-8"), file="envelope.yaml")
    KINDS["envelope"].check(found)


def test_the_envelope_that_the_guide_shows_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "say-who-decides.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```yaml\n(envelope: 1\n.*?)```", page, flags=re.DOTALL)
    assert agreements.envelope(shown, file="envelope.yaml").name == "fraud-monthly"


def test_a_dossiers_change_is_classified_without_a_server(desk: Any, file: Path) -> None:
    Path("dossier.json").write_bytes(msgspec.json.encode(dossier()))
    inside = desk.run("agree", "classify", str(file), "--dossier", "dossier.json")
    assert inside.exit_code == 0, inside.stdout
    assert "delays v2 is inside monthly." in inside.stdout
    other = made("v2", now=NOW, configuration={"trees": 400, "depth": 9})
    Path("dossier.json").write_bytes(msgspec.json.encode(dossier(ours=other)))
    outside = desk.run("agree", "classify", str(file), "--dossier", "dossier.json")
    assert outside.exit_code == Exit.REFUSED
    assert "fail           settings: does not hold: depth is 9; the envelope allows 3 to 8" in outside.stdout
    assert outside.stdout.endswith("delays v2 is outside monthly: settings.\n")
    found = json.loads(desk.run("agree", "classify", str(file), "--dossier", "dossier.json", "--json").stdout)
    assert (found["engine"], found["inside"], found["standing"]["name"]) == ("glideslope-envelope/1", False, "monthly")


@pytest.mark.parametrize(
    ("edit", "line", "says"),
    [
        (("least: 0.7", "least: .nan"), 9, "expected `float`"),
        (("least: 0.7", "least: 1e999"), 9, "finite"),
        (("until: 2027-12-31", "until: soon"), 4, "is not a time"),
        (("features: {}", "featurs: {}"), 6, "is not known here"),
        (("falls_away: [product]", "falls_away: []"), 5, "nobody's approval would fall away"),
        (("models: [delays]", "models: []"), 3, "say for which"),
        (("latency: 25%", "latency: x"), 11, "is not a margin"),
        (("alpha_pass: 5%", "alpha_pass: .nan"), 11, "between 0 and 1"),
        (("first: 10%", "first: 60%"), 10, "the first is at most"),
        (("metrics: [{metric: auc, least: 0.7, most: 0.9, rows: 1000}]", "metrics: []"), 9, "say between which ends"),
    ],
)
def test_what_is_wrong_is_pointed_at(desk: Any, file: Path, edit: tuple[str, str], line: int, says: str) -> None:
    assert edit[0] in ENVELOPE
    file.write_text(ENVELOPE.replace(*edit))
    told = desk.run("agree", "check", str(file))
    assert told.exit_code == Exit.INVALID
    assert f"{file}:{line}:" in told.stderr, told.stderr
    assert says in told.stderr
    assert "Nothing was tabled" in told.stderr


def test_each_edit_says_which_way_it_goes_and_those_who_give_must_agree(desk: Any, file: Path) -> None:
    organisation = Path("organisation.yaml")
    organisation.write_text(f"{ORGANISATION}agreements: {{envelope: [product]}}\n")
    desk.run("agree", "table", str(organisation), "-m", "so it is")
    assert "it needs product" in desk.run("agree", "table", str(file), "-m", "monthly").stdout
    first = desk.run("agree", "diff", "envelope", "monthly").stdout
    assert "No envelope of that name is in force. This one says:\n  speaks for the models" in first
    assert "+" not in first
    admin = desk.http.headers
    desk.http.headers = {"Authorization": "Bearer gs_member"}
    assert "is in force since" in desk.run("agree", "answer", "envelope", "monthly", "-m", "read it").stdout
    desk.http.headers = admin
    file.write_text(ENVELOPE.replace("most: 8", "most: 9").replace("45d", "30d"))
    desk.run("agree", "table", str(file), "-m", "deeper, newer")
    shown = desk.run("agree", "diff", "envelope", "monthly").stdout
    assert "  looser: the setting depth is 3 to 9; it was allowed what is 3 to 8\n" in shown
    assert "  stricter: it allows data as old as 30 days; it was 45 days\n" in shown
    desk.http.headers = {"Authorization": "Bearer gs_member"}
    answer = ("agree", "answer", "envelope", "monthly", "--in-force", "-m", "a flaw")
    desk.run(*answer, "--deny")
    shown = json.loads(desk.run("agree", "show", "envelope", "monthly", "--json").stdout)
    assert (shown["in_force"]["granted"], shown["in_force"]["denied"]) == ([], ["mia"])
    assert shown["tabled"] is not None
    desk.run(*answer)
    shown = json.loads(desk.run("agree", "show", "envelope", "monthly", "--json").stdout)
    assert [each["by"] for each in shown["in_force"]["granted"]] == ["mia"]
    none = desk.run("agree", "answer", "organisation", "--in-force", "--deny", "-m", "no")
    assert "not-found" in none.stderr, none.stderr


def test_a_plan_says_how_it_would_be_classified_and_by_another_envelope(
    desk: Any, service: Any, file: Path, written: str
) -> None:
    Path("glideslope.yaml").write_text(written)
    assert "envelope" not in desk.run("plan").stdout
    service.lane = LANE
    told = desk.run("plan", "--envelope", str(file)).stdout
    assert "  envelope    monthly: OUTSIDE, so that its tier's full review is due\n" in told
    assert "  left        settings: depth is 9; the envelope allows 3 to 8 (fail)\n" in told
    assert "  approves    product, 2 of security must\n" in told
    by, envelope = service.classified_by
    assert by == "ada"
    assert isinstance(envelope, Envelope)
    assert envelope.name == "monthly"
    file.write_text(ENVELOPE.replace("features: {}", "featurs: {}"))
    wrong = desk.run("plan", "--envelope", str(file))
    assert (wrong.exit_code, f"{file}:6:" in wrong.stderr) == (Exit.INVALID, True)
    file.write_text(ORGANISATION)
    assert "an envelope is expected" in desk.run("plan", "--envelope", str(file)).stderr
    assert desk.run("plan", "--envelope", "nowhere.yaml").exit_code == Exit.INVALID


def test_a_rollout_shows_its_class_wherever_it_is_shown(desk: Any, service: Any) -> None:
    applied(desk)
    under = GovernedView(
        tier="high",
        needs=(),
        missing=(),
        approvals=(),
        makers=(),
        withdrawn=(),
        after_breach="",
        glass="",
        blocks=(),
        policy="",
        lane=INSIDE,
    )
    service.rollouts[ID] = msgspec.structs.replace(service.rollouts[ID], governed=under)
    told = desk.run("show", ID).stdout
    assert "  envelope  monthly: inside\n  given     by mia as product, with the envelope\n" in told
    assert "  approves  nobody need\n" in told
    shut = msgspec.structs.replace(INSIDE, closed="r-0001 ended by a breach", given=())
    service.rollouts[ID] = msgspec.structs.replace(
        service.rollouts[ID], governed=msgspec.structs.replace(under, lane=shut)
    )
    assert "monthly: inside, and closed to it: r-0001 ended by a breach" in desk.run("show", ID).stdout
    assert "monthly: inside, and closed to it" in desk.run("approve", ID, "-m", "seen").stdout
    assert json.loads(desk.run("show", ID, "--json").stdout)["rollout"]["governed"]["lane"]["envelope"] == "monthly"
