"""A contract from a sample to being in force, and what live input does to it, as people meet it at the command line."""

import json
import random
import sys
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from glideslope.domain.commands import AgreeContract
from glideslope.domain.contract import FIRST
from glideslope.domain.ids import Actor
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm
from glideslope.engine.features import Held
from glideslope.engine.views import SignalView
from glideslope.interfaces.document import contracts


def rows(*, seed: int = 1, count: int = 500, far: float = 1.0) -> list[tuple[float, str, bool, int]]:
    chance = random.Random(seed)
    return [
        (round(chance.uniform(10, 90) * far, 2), chance.choice(["AA", "DL"]), chance.random() < 0.5, k)
        for k in range(count)
    ]


def csv(path: Path, found: list[tuple[float, str, bool, int]], *, more: str = "") -> None:
    heading = "distance,carrier,weekend,late" + (f",{more}" if more else "")
    lines = [
        ",".join([*(str(v).lower() if isinstance(v, bool) else str(v) for v in row), *["1"] * bool(more)])
        for row in found
    ]
    path.write_text("\n".join([heading, *lines]) + "\n")


def parquet(path: Path, found: list[tuple[float, str, bool, int]]) -> None:
    with duckdb.connect() as writer:
        writer.execute("CREATE TABLE t (distance DECIMAL(9, 2), carrier TEXT, weekend BOOLEAN, late INTEGER)")
        writer.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", found)
        writer.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def inferred(desk: Any, file: str = "rows.csv", *more: str) -> Any:
    return desk.run("contract", "infer", file, "--model", "late-arrival", "--but", "late", *more)


def test_a_contract_is_inferred_checked_registered_and_shown_again(desk: Any, service: Any, tmp_path: Path) -> None:
    csv(tmp_path / "rows.csv", rows())

    told = inferred(desk, "rows.csv", "--tag", "carrier=personal", "-o", "contract.yaml")
    check = desk.run("contract", "check", "rows.csv")
    agreed = desk.run("contract", "register", "-m", "agreed with flights")
    shown = desk.run("contract", "show", "late-arrival")

    assert (told.exit_code, check.exit_code, agreed.exit_code) == (0, 0, 0), told.stderr + check.stderr + agreed.stderr
    assert "3 features of late-arrival" in told.stdout
    assert check.stdout.splitlines()[-1] == "0 of 500 rows break it."
    contract = service.contracts["late-arrival"]
    assert [(rule.name, rule.type) for rule in contract.features] == [
        ("distance", "number"), ("carrier", "text"), ("weekend", "boolean"),
    ]  # fmt: skip
    assert contract.features[1].hidden
    assert contract.short in agreed.stdout
    assert shown.stdout == (tmp_path / "contract.yaml").read_text()


def test_a_rehearsal_registers_nothing(desk: Any, service: Any, tmp_path: Path) -> None:
    csv(tmp_path / "rows.csv", rows())
    inferred(desk, "rows.csv", "-o", "contract.yaml")

    told = desk.run("contract", "register", "-m", "agreed", "--dry-run")

    assert told.exit_code == 0
    assert service.contracts == {}


def test_what_is_there_is_not_written_over(desk: Any, tmp_path: Path) -> None:
    csv(tmp_path / "rows.csv", rows())
    (tmp_path / "contract.yaml").write_text("mine\n")

    told = inferred(desk, "rows.csv", "-o", "contract.yaml")

    assert told.exit_code != 0
    assert (tmp_path / "contract.yaml").read_text() == "mine\n"


def test_rows_that_break_it_end_with_three_and_are_counted_by_feature(desk: Any, tmp_path: Path) -> None:
    csv(tmp_path / "rows.csv", rows())
    inferred(desk, "rows.csv", "-o", "contract.yaml")
    csv(tmp_path / "new.csv", rows(far=3.0)[:100], more="gate")

    told = desk.run("contract", "check", "new.csv")
    data = json.loads(desk.run("contract", "check", "new.csv", "--json").stdout)

    assert told.exit_code == 3
    assert "Not in the contract: gate, late" in told.stdout
    assert data["broken"] == data["features"]["distance"]["outside"] > 50
    assert data["unknown_columns"] == ["gate", "late"]
    assert data["features"]["carrier"] == {"missing": 0, "wrong_type": 0, "outside": 0}


def test_a_column_that_is_gone_is_missing_in_every_row_and_one_of_another_type_is_wrong_in_every_row(
    desk: Any, tmp_path: Path
) -> None:
    csv(tmp_path / "rows.csv", rows())
    inferred(desk, "rows.csv", "-o", "contract.yaml")
    (tmp_path / "new.csv").write_text("distance,weekend\n" + "far,true\n" * 60)

    told = desk.run("contract", "check", "new.csv", "--json")
    data = json.loads(told.stdout)

    assert told.exit_code == 3
    assert data["features"]["carrier"]["missing"] == data["features"]["distance"]["wrong_type"] == data["broken"] == 60


def test_parquet_gives_the_contract_that_the_same_rows_as_csv_give(desk: Any, tmp_path: Path) -> None:
    csv(tmp_path / "rows.csv", rows())
    parquet(tmp_path / "rows.parquet", rows())

    told = inferred(desk, "rows.parquet")

    assert told.exit_code == 0, told.stderr
    assert told.stdout == inferred(desk).stdout
    assert contracts.read(told.stdout, file="x").contract.features[0].name == "distance"


def test_parquet_that_is_none_or_that_nothing_can_read_is_said_with_what_to_do(
    desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"not at all")
    (tmp_path / "a[1].parquet").write_bytes(b"")

    broken, odd = inferred(desk, "rows.parquet"), inferred(desk, "a[1].parquet")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    absent = inferred(desk, "rows.parquet")

    assert (broken.exit_code, odd.exit_code) == (2, 2)
    assert "'rows.parquet' cannot be read" in broken.stderr
    assert "rename it" in odd.stderr
    assert "extra-missing" in absent.stderr
    assert 'pip install "glideslope[log]"' in absent.stderr


def drifted(desk: Any, service: Any, tmp_path: Path) -> None:
    """Agree, and let a day go by on which the far bins grew, whose rows are scored higher."""
    csv(tmp_path / "rows.csv", rows())
    inferred(desk, "rows.csv", "-o", "contract.yaml")
    contract = contracts.read((tmp_path / "contract.yaml").read_text(), file="contract.yaml").contract
    service.contracts["late-arrival"] = contract
    assert AgreeContract(contract=contract, by=Actor("ada"), why="agreed").contract is contract
    held = Held.zero(sum(rule.places for rule in contract.features))
    distance, carrier, weekend = contract.features
    far = [100] * 9 + [1_100]
    held.counts[:] = [0, 0, 0, 0, *far, 0, 0, 0, 0, 1_000, 1_000, 0, 0, 0, 0, 1_000, 1_000]
    assert len(far) == distance.bins
    assert (carrier.bins, weekend.bins) == (2, 2)
    held.sums[:] = [round(n * SCORE_LEVELS * (0.7 if k == FIRST + 9 else 0.2)) for k, n in enumerate(held.counts)]
    held.rows[:] = [2_000, 0, 0]
    service.days = {19_999: {Arm.INCUMBENT: held}}


def test_a_drifted_feature_is_shown_with_its_size_its_chance_and_the_predictions_that_came_with_it(
    desk: Any, service: Any, tmp_path: Path
) -> None:
    drifted(desk, service, tmp_path)

    told = desk.run("features", "late-arrival")
    data = json.loads(desk.run("features", "late-arrival", "--json").stdout)

    assert told.exit_code == 0, told.stderr
    assert "advisory, moves no traffic" in told.stdout
    assert "weekend" not in told.stdout, "what did not drift is shown with --all only"
    assert "10.0% in the reference, 55.0% now; mean score 0.700 there, 0.200 elsewhere" in told.stdout
    assert "distance: about 45.0% of predictions have values that came with the drift" in told.stdout
    distance = next(each for each in data["features"] if each["name"] == "distance")
    assert distance["drifted"] is True
    assert distance["influenced"] == pytest.approx(0.45, abs=0.001)
    assert distance["adjusted_p_value"] < 1e-6
    assert distance["psi"] > 0.5
    assert "weekend" in desk.run("features", "late-arrival", "--all").stdout


def test_features_without_a_contract_say_what_to_do(desk: Any) -> None:
    told = desk.run("features", "late-arrival")

    assert told.exit_code == 2
    assert "data contract" in told.stderr


def test_flags_are_shown_with_their_evidence_and_that_they_move_nothing(desk: Any, service: Any) -> None:
    flag = SignalView(
        id="5a0c6a01f2", model="late-arrival", series="score", arm="incumbent", rollout="late-arrival-1",
        first="2026-11-24T10:21:00.000Z", last="2026-11-24T10:40:00.000Z", expected=0.3987, seen=0.4312, unit="mean",
        baseline="hour of week", evidence=88300.0, line=86400, sentence="score of the incumbent is above what is usual.",
    )  # fmt: skip
    quiet = desk.run("signals", "late-arrival")
    service.flagged.append(flag)

    told = desk.run("signals", "late-arrival")
    data = json.loads(desk.run("signals", "late-arrival", "--json").stdout)

    assert "Nothing was flagged." in quiet.stdout
    first, line, evidence, last = told.stdout.splitlines()
    assert (
        first == "late-arrival  9 series watched, 2 of them still learning what is usual   advisory, moves no traffic"
    )
    assert line == f"{flag.first}  {flag.sentence}  during late-arrival-1"
    assert evidence.strip() == f"evidence 88,300 of 86,400, against hour of week, last seen {flag.last}  ({flag.id})"
    assert last.startswith("At most 1 false flags a week")
    assert data["flags"] == [msgspec.to_builtins(flag)]
    assert data["advisory"] is True
