"""Whatever text is handed in as a plan: a draft that reads back the same, or a refusal with its place; and the same of what follows."""

import contextlib
import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.errors import GlideslopeError, PlanInvalid
from glideslope.domain.events import Registered
from glideslope.domain.forecast import forecast, warnings
from glideslope.domain.freeze import Baseline, freeze, plan_digest
from glideslope.domain.ids import Actor, Digest, ModelName, VersionName
from glideslope.domain.metric import BUILT_IN
from glideslope.domain.plan import Evaluation
from glideslope.interfaces.document import reading, showing
from glideslope.interfaces.document.text import LARGEST, DocumentInvalid, decode
from glideslope.testing.hostile import changed

SEEDS = st.integers(0, 2**64)

PLAN = """\
# yaml-language-server: $schema=./glideslope.schema.json
model: late-arrival
candidate: v2
owner: flights@example.com
why: "Fewer misses in the evening."
stages:
  - offline: {auc: {holdout: by-day, margin: 0.01, lower_is_better: false}}
  - shadow: {mirror: 50%, for: 10m, at_most: 2h}
  - canary: {shares: [1%, 25%], for: 1h, at_most: 12h}
  - full: {for: 1h}
  - bake: {for: 1d}
guardrails:
  - {metric: errors, margin: 1pp, limit: 5%}
  - {metric: latency, margin: 25%, weight: 2}
  - {metric: late, margin: 0.5pp, required: false}
  - {metric: wait, margin: 0.5}
  - {metric: wrong, margin: 5pp}
  - {metric: false_alarm, margin: 5pp}
  - {metric: value, margin: 1.5, required: false}
attributes: {amount: number, tokens: {type: number, with: prediction}}
value: {currency: EUR, threshold: 60%, hit: 20, miss: -200.5, each: {errors: -0.5}}
harm_budget: [{metric: wrong, count: 40}, {metric: value, excess: 500}]
metrics:
  false_alarm: {expression: "prediction >= 0.8 and not happened and origin != 'EWR' and amount > 1"}
  late: {kind: event}
  wait: {kind: score, cap: 10}
slices:
  origin: [EWR, JFK, LGA]
alpha: 0.01
approvals: 1
lease: 5s
stale_after: 30s
"""

BASELINE = Baseline(
    histograms={name: tuple(range(1, metric.bins + 1)) for name, metric in BUILT_IN.items()},
    subjects_per_second=12.5,
    outcomes_per_second=3.0,
    seconds=60.0,
)


def version(name: str) -> Registered:
    return Registered(
        model=ModelName("late-arrival"),
        version=VersionName(name),
        digest=Digest("sha256:" + name[-1] * 64),
        url="http://127.0.0.1:9000",
        by=Actor("ada"),
        why="trained",
        evaluations=(Evaluation(metric="auc", holdout="by-day", incumbent=0.6, candidate=0.7, count=5_000),),
    )


def followed(text: str) -> None:
    """Do with a text all that is done with a plan before people see it."""
    document = reading.read(text, file="glideslope.yaml")
    shown = showing.show(document.draft)
    assert reading.read(shown, file="shown.yaml").draft == document.draft
    try:
        plan = freeze(document.draft, incumbent=version("v1"), candidate=version("v2"), baseline=BASELINE)
    except PlanInvalid as error:
        raise document.located(error) from error
    assert plan_digest(plan).startswith("sha256:")
    forecast(plan, BASELINE)
    warnings(plan, BASELINE)


def test_the_plan_that_is_changed_can_be_carried_out() -> None:
    followed(PLAN)


@given(seed=SEEDS)
def test_a_changed_plan_is_read_or_refused_at_its_place(seed: int) -> None:
    chance = Random(seed)
    try:
        source = decode(changed(PLAN.encode(), chance, times=chance.choice((1, 1, 3))), file="glideslope.yaml")
        followed(source.text)
    except DocumentInvalid as error:
        told = error
    except GlideslopeError as error:
        assert not isinstance(error, PlanInvalid), "it has no place"  # noqa: PT017 - what else it may be
        return
    else:
        return
    assert (told.line, told.column, told.width) >= (1, 1, 1)
    assert len(told.sentence) < 4 * LARGEST


@given(text=st.text(max_size=300))
def test_any_text_is_read_or_refused_at_its_place(text: str) -> None:
    with contextlib.suppress(DocumentInvalid):
        followed(text)


BOMBS = {
    "aliases": "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]\n",
    "a billion laughs": "a0: &a0 [lol]\n" + "".join(f"a{n + 1}: &a{n + 1} [{f'*a{n},' * 9}]\n" for n in range(9)),
    "an anchor of itself": "a: &a [*a]\n",
    "a merge": "<<: {model: x}\n",
    "an object": "model: !!python/object/apply:os.system [true]\n",
    "a number in base 60": "alpha: 1:30\n",
    "digits": "alpha: " + "9" * 60_000 + "\n",
    "an exponent": "alpha: 1e" + "9" * 60_000 + "\n",
    "infinity": "alpha: .inf\n",
    "no number": "alpha: .nan\n",
    "lists": "[" * 60_000,
    "objects": "{a: " * 15_000,
    "indentation": "".join(" " * n + "a:\n" for n in range(350)),
    "many keys": "".join(f"k{n}: 1\n" for n in range(7_000)),
    "a key of its own length": "k" * 60_000 + ": 1\n",
    "a question": "? " * 30_000,
    "quotes": '"' * 65_000,
    "folded": "why: >\n" + " x\n\n" * 16_000,
    "half a pair": "model: \ud800\n",
    "a zero": "model: \x00\n",
    "a tab": "model:\n\t- x\n",
    "documents": "--- a\n" * 10_000,
    "directives": "%YAML 1.2\n" * 6_000,
    "comments": "#\n" * 32_000,
    "too long": "#" * (LARGEST + 1),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_its_place(name: str) -> None:
    """In seconds of one processor; quadratic work would take minutes."""
    began = time.process_time()
    with pytest.raises(DocumentInvalid) as caught:
        reading.read(BOMBS[name], file="glideslope.yaml")

    assert (caught.value.code, caught.value.line >= 1) == ("plan-invalid", True)
    assert time.process_time() - began < 10
