"""What is finished is not measured again; what is torn is; what is of something else is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.evaluate.journal import NAME, EvaluationChanged, EvaluationRunning, Journal

INPUTS = {"the rows of a.csv": "sha256:1", "the candidate's folder": "sha256:2"}


def fill(folder: Path, parts: int = 3) -> None:
    with Journal(folder, inputs=INPUTS, again=False) as journal:
        for k in range(parts):
            journal.put(f"part {k}", [k, k + 0.5])


def kept(folder: Path) -> list[int]:
    with Journal(folder, inputs=INPUTS, again=False) as journal:
        return [k for k in range(3) if journal.get(f"part {k}", list[float]) == [k, k + 0.5]]


def test_parts_are_there_again(tmp_path: Path) -> None:
    fill(tmp_path)

    assert kept(tmp_path) == [0, 1, 2]


@given(cut=st.integers(min_value=0))
def test_a_journal_that_was_cut_anywhere_keeps_what_was_whole(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("work")
    fill(folder)
    content = (folder / NAME).read_bytes()
    cut %= len(content) + 1
    (folder / NAME).write_bytes(content[:cut])
    whole = max(0, content[:cut].count(b"\n") - 1)

    assert kept(folder) == list(range(whole))
    fill(folder)
    assert kept(folder) == [0, 1, 2]


@given(at=st.integers(min_value=0), byte=st.integers(1, 255))
def test_a_byte_that_is_another_now_is_never_believed(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("work")
    fill(folder)
    content = bytearray((folder / NAME).read_bytes())
    start = content.index(b"\n") + 1
    at = start + at % (len(content) - start)
    content[at] ^= byte
    (folder / NAME).write_bytes(content)

    with Journal(folder, inputs=INPUTS, again=False) as journal:
        found = {k: journal.get(f"part {k}", list[float]) for k in range(3)}
    assert all(value in (None, [k, k + 0.5]) for k, value in found.items())


def test_another_figure_in_a_part_is_not_believed_however_well_formed(tmp_path: Path) -> None:
    fill(tmp_path)
    content = (tmp_path / NAME).read_text()
    assert "[1,1.5]" in content
    (tmp_path / NAME).write_text(content.replace("[1,1.5]", "[1,2.5]"))

    assert kept(tmp_path) == [0]


def test_other_inputs_are_refused_by_name_and_nothing_is_lost(tmp_path: Path) -> None:
    fill(tmp_path)

    with pytest.raises(EvaluationChanged) as refused:
        Journal(tmp_path, inputs={**INPUTS, "the rows of a.csv": "sha256:3"}, again=False)

    assert "the rows of a.csv" in refused.value.sentence
    assert "candidate" not in refused.value.sentence
    assert kept(tmp_path) == [0, 1, 2]


def test_again_forgets_what_was_measured(tmp_path: Path) -> None:
    fill(tmp_path)
    with Journal(tmp_path, inputs={**INPUTS, "the rows of a.csv": "sha256:3"}, again=True) as journal:
        assert journal.get("part 0", list[float]) is None


def test_two_at_once_are_one_too_many(tmp_path: Path) -> None:
    with Journal(tmp_path, inputs=INPUTS, again=False), pytest.raises(EvaluationRunning):
        Journal(tmp_path, inputs=INPUTS, again=False)
