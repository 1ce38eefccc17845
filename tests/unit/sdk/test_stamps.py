"""Stamps are read exactly or not at all: what cannot be attributed is not counted."""

import pytest

from glideslope.domain.ids import RolloutId, StepName
from glideslope.domain.traffic import Arm
from glideslope.sdk.assign import UNMEASURED, Assigned
from glideslope.sdk.stamps import NO_STAMPS, Stamps, from_headers, of, step_number, to_headers

FULL = {
    "x-glideslope-rollout": "fraud-1",
    "x-glideslope-step": "s2",
    "x-glideslope-arm": "incumbent",
    "x-glideslope-subject": "anna",
    "x-request-id": "r-1",
    "accept": "*/*",
}
READ = Stamps(
    rollout=RolloutId("fraud-1"), step=StepName("s2"), arm=Arm.INCUMBENT, request="r-1", subject="anna", shadow=False
)


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def test_all_stamps_of_a_request_are_read() -> None:
    assert from_headers(raw(FULL)) == READ


def test_a_mirrored_copy_is_the_candidates_and_says_so() -> None:
    found = from_headers(raw({**FULL, "x-glideslope-arm": "shadow"}))

    assert (found.arm, found.shadow, found.rollout) == (Arm.CANDIDATE, True, "fraud-1")


@pytest.mark.parametrize(
    "change",
    [
        {"x-glideslope-arm": "canary"},
        {"x-glideslope-arm": ""},
        {"x-glideslope-rollout": ""},
        {"x-glideslope-step": ""},
        {"x-glideslope-step": "2"},
        {"x-glideslope-step": "s0"},
        {"x-glideslope-step": "s256"},
        {"x-glideslope-step": "s2/x"},
    ],
    ids=str,
)
def test_stamps_that_are_incomplete_or_make_no_sense_are_none(change: dict[str, str]) -> None:
    """The request id and the subject stay what they are: they are the caller's."""
    assert Stamps(request="r-1", subject="anna") == from_headers(raw({**FULL, **change}))


def test_a_stamp_that_comes_twice_is_no_stamp() -> None:
    """Whoever adds a second one wants to be counted elsewhere."""
    assert from_headers([*raw(FULL), (b"x-glideslope-arm", b"candidate")]) == NO_STAMPS


def test_a_request_without_headers_of_ours_is_unmeasured() -> None:
    found = from_headers(raw({"accept": "*/*"}))

    assert not found.measured
    assert found == NO_STAMPS


@pytest.mark.parametrize("stamps", [READ, NO_STAMPS, from_headers(raw({**FULL, "x-glideslope-arm": "shadow"}))])
def test_stamps_that_are_written_are_read_back(stamps: Stamps) -> None:
    assert stamps == from_headers(raw(dict(to_headers(stamps))))


def test_an_assignment_in_process_is_stamped_like_one_of_the_gateway() -> None:
    assigned = Assigned(Arm.INCUMBENT, measured=True, rollout=RolloutId("fraud-1"), step=StepName("s2"))

    assert of(assigned, subject="anna", request="r-1") == READ
    assert not of(UNMEASURED, subject="anna").measured


@pytest.mark.parametrize(("text", "number"), [("s1", 1), ("s255", 255), ("s01", None), ("S1", None), ("s1 ", None)])
def test_steps_have_numbers(text: str, number: int | None) -> None:
    assert number == step_number(text)
