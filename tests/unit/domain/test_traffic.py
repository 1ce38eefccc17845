"""The coin: one formula everywhere, weights that add up, and widening that moves nobody back."""

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.errors import SplitInvalid
from glideslope.domain.traffic import FULL, NOBODY, TOTAL, Arm, Assignment, Split, Token, Weights, assign, bucket

subjects = st.text(max_size=40)
salts = st.text(max_size=20)
splits = st.integers(0, FULL).flatmap(
    lambda candidate: st.builds(Split, candidate=st.just(candidate), control=st.integers(0, FULL - candidate))
)


@given(subject=subjects, salt=salts)
def test_the_bucket_is_xxh64_of_salt_and_subject_modulo_the_total(subject: str, salt: str) -> None:
    """Envoy computes the same: seed 0 over `salt:subject` in UTF-8."""
    data = salt.encode() + b":" + subject.encode()

    assert bucket(subject, salt=salt) == xxhash.xxh64(data, seed=0).intdigest() % 65_536


@pytest.mark.parametrize(
    ("subject", "salt", "expected"),
    [("u-1", "r-1", 3_369), ("", "", 7_241), ("Zoë ✈", "flights-41", 65_298)],
)
def test_buckets_never_change(subject: str, salt: str, expected: int) -> None:
    """Another number would move subjects between arms while a rollout runs."""
    assert bucket(subject, salt=salt) == expected


@given(split=splits)
def test_weights_add_up_and_never_exceed_the_step(split: Split) -> None:
    weights = split.weights()

    assert weights.candidate + weights.control + weights.rest == TOTAL
    assert min(weights.candidate, weights.control, weights.rest) >= 0
    assert weights.candidate * FULL <= split.candidate * TOTAL
    assert (weights.candidate > 0) == (split.candidate > 0)


@given(split=splits)
def test_nobody_is_left_over_when_the_whole_is_measured(split: Split) -> None:
    whole = Split(candidate=split.candidate, control=FULL - split.candidate)

    assert whole.weights().rest == 0


@pytest.mark.parametrize(
    ("split", "weights"),
    [
        (NOBODY, Weights(candidate=0, control=0, rest=TOTAL)),
        (Split(candidate=FULL, control=0), Weights(candidate=TOTAL, control=0, rest=0)),
        (Split(candidate=500, control=2_000), Weights(candidate=3_276, control=13_107, rest=49_153)),
        (Split(candidate=5_000, control=5_000), Weights(candidate=32_768, control=32_768, rest=0)),
        (Split(candidate=1, control=0), Weights(candidate=6, control=0, rest=65_530)),
    ],
)
def test_splits_weigh(split: Split, weights: Weights) -> None:
    assert split.weights() == weights


@pytest.mark.parametrize(("candidate", "control"), [(-1, 0), (0, -1), (FULL + 1, 0), (5_000, 5_001)])
def test_a_split_of_more_than_all_or_less_than_none_is_refused(candidate: int, control: int) -> None:
    with pytest.raises(SplitInvalid):
        Split(candidate=candidate, control=control)


@given(subject=subjects, salt=salts, narrow=splits, wide=splits)
def test_widening_moves_nobody_back(subject: str, salt: str, narrow: Split, wide: Split) -> None:
    narrow, wide = sorted((narrow, wide), key=lambda split: split.candidate)
    before, after = (assign(subject, salt=salt, weights=split.weights()).arm for split in (narrow, wide))

    assert (before, after) != (Arm.CANDIDATE, Arm.INCUMBENT)


@given(subject=subjects, salt=salts, split=splits)
def test_an_assignment_is_where_the_bucket_falls(subject: str, salt: str, split: Split) -> None:
    weights, n = split.weights(), bucket(subject, salt=salt)
    found = assign(subject, salt=salt, weights=weights)

    if n < weights.candidate:
        assert found == Assignment(Arm.CANDIDATE, measured=True)
    elif n < weights.candidate + weights.control:
        assert found == Assignment(Arm.INCUMBENT, measured=True)
    else:
        assert found == Assignment(Arm.INCUMBENT, measured=False)


def test_the_coin_is_fair_enough() -> None:
    """10,000 subjects at 5 % and 20 %: within five standard errors of what was asked."""
    weights = Split(candidate=500, control=2_000).weights()
    found = [assign(f"subject-{k}", salt="r-delays-1", weights=weights) for k in range(10_000)]
    candidates = sum(a.arm is Arm.CANDIDATE for a in found)
    controls = sum(a.measured for a in found) - candidates

    assert abs(candidates - 500) < 5 * 22
    assert abs(controls - 2_000) < 5 * 40


def test_tokens_are_ordered_by_epoch_and_then_by_version() -> None:
    assert Token(epoch=1, version=9) < Token(epoch=2, version=1) < Token(epoch=2, version=2)
