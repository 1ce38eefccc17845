"""Services and gateways toss the same coin: whatever the subject, salt and split."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.ids import RolloutId, StepName
from glideslope.domain.observation import Grant
from glideslope.domain.traffic import FULL, Arm, Split, assign
from glideslope.sdk.assign import Assigner
from glideslope.sdk.columns import CANDIDATE, CONTROL, UNMEASURED, assign_column

subjects = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)
splits = st.integers(0, FULL).flatmap(
    lambda candidate: st.builds(Split, candidate=st.just(candidate), control=st.integers(0, FULL - candidate))
)


def granted(split: Split, *, salt: str) -> Assigner:
    weights = split.weights()
    assigner = Assigner(clock=lambda: 0.0)
    grant = Grant(
        rollout=RolloutId("m-1"),
        step=StepName("s1"),
        salt=salt,
        candidate=weights.candidate,
        control=weights.control,
        lease_ms=1_000,
        epoch=1,
        version=1,
    )
    assert assigner.obey(grant, asked=0.0)
    return assigner


@given(keys=st.lists(subjects, max_size=30), salt=subjects, split=splits)
def test_a_service_assigns_as_the_rules_do_one_by_one_and_in_batches(keys: list[str], salt: str, split: Split) -> None:
    assigner = granted(split, salt=salt)

    expected = [assign(key, salt=salt, weights=split.weights()) for key in keys]
    assert expected == [assigner.assign(key).assignment for key in keys]
    assert expected == [assigned.assignment for assigned in assigner.assign_many(keys)]


@given(key=subjects, split=splits, more=st.integers(0, FULL))
def test_widening_moves_nobody_back(key: str, split: Split, more: int) -> None:
    wider = Split(candidate=min(split.candidate + more, FULL), control=0)

    before = granted(split, salt="s").assign(key).arm
    after = granted(wider, salt="s").assign(key).arm

    assert before is Arm.INCUMBENT or after is Arm.CANDIDATE


@given(
    keys=st.lists(subjects.map(str.encode).filter(lambda key: not key.endswith(b"\0")), min_size=1, max_size=30),
    salt=subjects,
    split=splits,
)
def test_a_column_is_assigned_as_the_rules_assign_each_subject(keys: list[bytes], salt: str, split: Split) -> None:
    column = assign_column(granted(split, salt=salt), np.array(keys))

    codes = {(Arm.CANDIDATE, True): CANDIDATE, (Arm.INCUMBENT, True): CONTROL, (Arm.INCUMBENT, False): UNMEASURED}
    expected = [assign(key.decode(), salt=salt, weights=split.weights()) for key in keys]
    assert [codes[assignment.arm, assignment.measured] for assignment in expected] == column.tolist()


def test_every_length_of_salt_and_subject_meets_the_same_coin() -> None:
    """The hash treats lengths below, at and above its stripes of 32 bytes differently, and so its words of 8 and 4."""
    split = Split(candidate=3_000, control=3_000)
    for salted in range(1, 41):
        keys = [f"{number:0{length}d}"[-length:] for length in range(1, 41) for number in (3, 14, 159)]
        assigner = granted(split, salt="s" * salted)

        codes = assign_column(assigner, np.array([key.encode() for key in keys])).tolist()

        arms = [(Arm.CANDIDATE if code == CANDIDATE else Arm.INCUMBENT, code != UNMEASURED) for code in codes]
        assert [(assigned.arm, assigned.measured) for assigned in map(assigner.assign, keys)] == arms


def test_without_a_lease_a_whole_column_is_served_by_the_incumbent() -> None:
    assert assign_column(Assigner(), np.array([b"anna", b""])).tolist() == [UNMEASURED, UNMEASURED]
