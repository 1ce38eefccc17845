"""What every Driver promises: shapes expose nobody, leases expose exactly the assigned and end by themselves."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

import pytest

from glideslope.domain.errors import NotFound, TokenStale
from glideslope.domain.ids import Digest, ModelName, RolloutId, StepName, VersionName
from glideslope.domain.traffic import Arm, Assignment, Endpoint, Exposure, Route, Split, Token, assign
from glideslope.engine.ports import Driver, Feature

LONG: Final = timedelta(seconds=30)
SHORT: Final = timedelta(seconds=0.5)
FIRST: Final = Token(epoch=1, version=1)
SECOND: Final = Token(epoch=1, version=2)
UNEXPOSED: Final = Assignment(Arm.INCUMBENT, measured=False)

FRAUD: Final = ModelName("fraud")
SPAM: Final = ModelName("spam.v2")
SUBJECTS: Final = tuple(f"subject-{n}" for n in range(80))


class DriverBench(Protocol):
    """A driver under test, and callers in front of its data plane."""

    @property
    def driver(self) -> Driver:
        """Return what is under test."""
        ...

    def endpoint(self, version: str) -> Endpoint:
        """Return where a version is really served."""
        ...

    async def serve(self, model: ModelName, subject: str) -> Assignment:
        """Send one request, and tell from what came back how it was assigned."""
        ...

    async def advance(self, seconds: float) -> None:
        """Let time pass, or wait for it."""
        ...


def exposing(step: str, *, candidate: int, control: int, mirror: int = 0, rollout: str = "fraud-1") -> Exposure:
    """Return an exposure, in basis points."""
    return Exposure(RolloutId(rollout), StepName(step), Split(candidate=candidate, control=control), mirror=mirror)


STEP: Final = exposing("s1", candidate=3_000, control=4_000)


@pytest.mark.asyncio
class DriverContract:
    """Subclass and provide the fixture `bench`: a data plane that has never been shaped."""

    @pytest.fixture
    def bench(self) -> DriverBench:
        raise NotImplementedError("provide the fixture `bench`")

    async def test_a_shape_alone_exposes_nobody(self, bench: DriverBench) -> None:
        await bench.driver.shape([route(bench)])

        assert {UNEXPOSED} == {await bench.serve(FRAUD, subject) for subject in SUBJECTS}
        assert (await bench.driver.observe(FRAUD)).exposure is None

    async def test_a_lease_exposes_exactly_those_whom_the_coin_assigns(self, bench: DriverBench) -> None:
        await leased(bench)

        expected = [assign(subject, salt="fraud-1", weights=STEP.split.weights()) for subject in SUBJECTS]
        assert expected == [await bench.serve(FRAUD, subject) for subject in SUBJECTS]

    async def test_an_unrenewed_lease_ends_by_itself(self, bench: DriverBench) -> None:
        await leased(bench, ttl=SHORT)

        await bench.advance(SHORT.total_seconds() + 0.05)

        assert {UNEXPOSED} == {await bench.serve(FRAUD, subject) for subject in SUBJECTS}
        assert (await bench.driver.observe(FRAUD)).exposure is None

    async def test_a_renewed_lease_goes_on(self, bench: DriverBench) -> None:
        ttl = timedelta(seconds=0.8)
        await leased(bench, ttl=ttl)

        for _ in range(5):
            await bench.advance(0.2)
            await bench.driver.lease(FRAUD, STEP, token=FIRST, ttl=ttl)

        assert (await bench.driver.observe(FRAUD)).exposure == STEP

    async def test_a_renewal_does_not_bring_back_what_has_lapsed(self, bench: DriverBench) -> None:
        """Exposure comes back only by a fresh decision, which bears a newer token."""
        await leased(bench, ttl=SHORT)
        await bench.advance(SHORT.total_seconds() + 0.05)

        await bench.driver.lease(FRAUD, STEP, token=FIRST, ttl=LONG)
        await bench.advance(0.05)

        assert (await bench.driver.observe(FRAUD)).exposure is None

    async def test_a_fresh_decision_brings_back_what_has_lapsed(self, bench: DriverBench) -> None:
        await leased(bench, ttl=SHORT)
        await bench.advance(SHORT.total_seconds() + 0.05)

        await bench.driver.lease(FRAUD, STEP, token=SECOND, ttl=LONG)

        await reaches(bench, lambda: in_force(bench, STEP))

    async def test_a_withdrawal_does_not_wait_for_the_lease_to_end(self, bench: DriverBench) -> None:
        await leased(bench)

        await bench.driver.lease(FRAUD, None, token=SECOND, ttl=LONG)

        await reaches(bench, lambda: in_force(bench, None))
        assert {UNEXPOSED} == {await bench.serve(FRAUD, subject) for subject in SUBJECTS}

    async def test_the_incumbent_may_take_a_candidates_place_and_is_withdrawn_like_one(
        self, bench: DriverBench
    ) -> None:
        """By that a drill practises going back: whoever it assigns meets the incumbent all the same."""
        if Feature.DRILL not in bench.driver.features:
            pytest.skip(f"{bench.driver.name} drills nothing")
        shape = route(bench)
        await bench.driver.shape([replace(shape, candidate=shape.incumbent)])

        await bench.driver.lease(FRAUD, STEP, token=FIRST, ttl=LONG)
        await reaches(bench, lambda: in_force(bench, STEP))
        assert Arm.CANDIDATE in {(await bench.serve(FRAUD, subject)).arm for subject in SUBJECTS}
        await bench.driver.lease(FRAUD, None, token=FIRST, ttl=LONG)

        await reaches(bench, lambda: in_force(bench, None))
        assert {UNEXPOSED} == {await bench.serve(FRAUD, subject) for subject in SUBJECTS}

    async def test_withdrawing_twice_does_no_harm(self, bench: DriverBench) -> None:
        await bench.driver.shape([route(bench)])

        await bench.driver.lease(FRAUD, None, token=FIRST, ttl=LONG)
        await bench.driver.lease(FRAUD, None, token=FIRST, ttl=LONG)

        assert (await bench.driver.observe(FRAUD)).exposure is None

    async def test_an_older_token_is_refused_and_changes_nothing(self, bench: DriverBench) -> None:
        await leased(bench, token=SECOND)

        with pytest.raises(TokenStale):
            await bench.driver.lease(FRAUD, None, token=FIRST, ttl=LONG)
        with pytest.raises(TokenStale):
            await bench.driver.lease(FRAUD, replace(STEP, mirror=1), token=Token(epoch=0, version=9), ttl=LONG)

        assert (await bench.driver.observe(FRAUD)).exposure == STEP

    async def test_a_withdrawal_outlives_a_late_grant(self, bench: DriverBench) -> None:
        """A governor that was frozen while another withdrew must not expose anybody when it thaws."""
        await leased(bench)
        await bench.driver.lease(FRAUD, None, token=SECOND, ttl=LONG)

        with pytest.raises(TokenStale):
            await bench.driver.lease(FRAUD, STEP, token=FIRST, ttl=LONG)

        await reaches(bench, lambda: in_force(bench, None))

    async def test_a_renewal_that_its_withdrawal_overtook_exposes_nobody(self, bench: DriverBench) -> None:
        """Both bear the token of the same decision; a network may deliver the renewal last."""
        await leased(bench)
        await bench.driver.lease(FRAUD, None, token=FIRST, ttl=LONG)

        await bench.driver.lease(FRAUD, STEP, token=FIRST, ttl=LONG)
        await bench.advance(0.05)

        await reaches(bench, lambda: in_force(bench, None))
        assert {UNEXPOSED} == {await bench.serve(FRAUD, subject) for subject in SUBJECTS}

    async def test_a_shape_that_comes_late_is_refused_and_changes_nothing(self, bench: DriverBench) -> None:
        """A server that was frozen while another took over must not bring back what it believed."""
        await bench.driver.shape([route(bench)], token=SECOND)

        with pytest.raises(TokenStale):
            await bench.driver.shape([Route(FRAUD, incumbent=bench.endpoint("v8"))], token=FIRST)

        assert (await bench.driver.observe(FRAUD)).incumbent == "v7"

    async def test_widening_a_split_moves_nobody_back(self, bench: DriverBench) -> None:
        await leased(bench)
        exposed = {subject for subject in SUBJECTS if (await bench.serve(FRAUD, subject)).arm is Arm.CANDIDATE}
        wider = exposing("s2", candidate=5_000, control=5_000)

        await bench.driver.lease(FRAUD, wider, token=SECOND, ttl=LONG)
        await reaches(bench, lambda: in_force(bench, wider))

        assert exposed <= {subject for subject in SUBJECTS if (await bench.serve(FRAUD, subject)).arm is Arm.CANDIDATE}

    async def test_asking_again_for_the_same_shape_keeps_the_exposure(self, bench: DriverBench) -> None:
        await leased(bench)

        await bench.driver.shape([route(bench)])

        assert (await bench.driver.observe(FRAUD)).exposure == STEP

    async def test_a_candidate_that_is_gone_is_no_longer_exposed(self, bench: DriverBench) -> None:
        await leased(bench)

        await bench.driver.shape([replace(route(bench), candidate=None)])

        assert {UNEXPOSED} == {await bench.serve(FRAUD, subject) for subject in SUBJECTS}
        assert (await bench.driver.observe(FRAUD)).candidate is None
        with pytest.raises(NotFound):
            await bench.driver.lease(FRAUD, STEP, token=SECOND, ttl=LONG)

    async def test_another_candidate_inherits_no_exposure(self, bench: DriverBench) -> None:
        await leased(bench)

        await bench.driver.shape([replace(route(bench), candidate=bench.endpoint("v9"))])
        await bench.driver.shape([route(bench)])

        assert {UNEXPOSED} == {await bench.serve(FRAUD, subject) for subject in SUBJECTS}

    async def test_what_is_left_of_an_earlier_rollout_touches_no_other_candidate(self, bench: DriverBench) -> None:
        """A renewal that a gateway obeys late may arrive when the next rollout has been shaped, and before its first lease."""
        await leased(bench)
        next_ = Route(FRAUD, incumbent=bench.endpoint("v7"), candidate=bench.endpoint("v9"), salt="fraud-2")
        await bench.driver.shape([next_])
        await reaches(bench, lambda: in_force(bench, None))

        await bench.driver.lease(FRAUD, STEP, token=FIRST, ttl=LONG)

        assert {(await bench.serve(FRAUD, subject)).arm for subject in SUBJECTS} == {Arm.INCUMBENT}

    async def test_a_promoted_candidate_is_the_incumbent_that_is_observed(self, bench: DriverBench) -> None:
        await leased(bench)

        await bench.driver.shape([Route(FRAUD, incumbent=bench.endpoint("v8"))])

        observed = await bench.driver.observe(FRAUD)
        assert (observed.incumbent, observed.candidate, observed.exposure) == ("v8", None, None)

    async def test_a_mirror_exposes_nobody(self, bench: DriverBench) -> None:
        shadow = exposing("shadow", candidate=0, control=2_500, mirror=1_234)
        await leased(bench, exposure=shadow)

        arms = {(await bench.serve(FRAUD, subject)).arm for subject in SUBJECTS}
        assert {Arm.INCUMBENT} == arms

    async def test_models_are_leased_independently(self, bench: DriverBench) -> None:
        other = Route(SPAM, incumbent=bench.endpoint("v1"), candidate=bench.endpoint("v2"), salt="spam-4")
        theirs = exposing("s1", candidate=10_000, control=0, rollout="spam-4")
        await bench.driver.shape([route(bench), other])
        await bench.driver.lease(SPAM, theirs, token=SECOND, ttl=LONG)
        await bench.driver.lease(FRAUD, STEP, token=FIRST, ttl=SHORT)
        await reaches(bench, lambda: in_force(bench, STEP))

        await bench.advance(SHORT.total_seconds() + 0.05)

        assert (await bench.driver.observe(FRAUD)).exposure is None
        assert theirs == (await bench.driver.observe(SPAM)).exposure
        assert Assignment(Arm.CANDIDATE, measured=True) == await bench.serve(SPAM, "anybody")

    async def test_a_model_that_was_never_shaped_is_not_found(self, bench: DriverBench) -> None:
        await bench.driver.shape([route(bench)])

        with pytest.raises(NotFound):
            await bench.driver.observe(SPAM)
        with pytest.raises(NotFound):
            await bench.driver.lease(SPAM, STEP, token=FIRST, ttl=LONG)


def route(bench: DriverBench) -> Route:
    """Return a route with a candidate."""
    return Route(FRAUD, incumbent=bench.endpoint("v7"), candidate=bench.endpoint("v8"), salt="fraud-1")


async def leased(bench: DriverBench, *, exposure: Exposure = STEP, token: Token = FIRST, ttl: timedelta = LONG) -> None:
    """Shape, lease, and wait until the data plane obeys."""
    await bench.driver.shape([route(bench)])
    await bench.driver.lease(FRAUD, exposure, token=token, ttl=ttl)
    await reaches(bench, lambda: in_force(bench, exposure))


async def in_force(bench: DriverBench, exposure: Exposure | None) -> bool:
    """Ask whether this is what is in force."""
    return (await bench.driver.observe(FRAUD)).exposure == exposure


async def reaches(bench: DriverBench, condition: Callable[[], Awaitable[bool]]) -> None:
    """Being asked is not obeying: wait for it, at most about two seconds."""
    for _ in range(400):
        if await condition():
            return
        await bench.advance(0.005)
    pytest.fail("the data plane does not do what was asked")


def unserved(version: str) -> Endpoint:
    """Return an endpoint for a data plane that sends no requests anywhere."""
    return Endpoint(VersionName(version), Digest(f"sha256:{version.encode().hex():0>64}"), "http://127.0.0.1:9")
