"""What is foreseen of a plan, and what was simulated, as lines of text."""

from collections.abc import Sequence

from glideslope.domain.foresight import Prospect
from glideslope.domain.plan import Plan
from glideslope.domain.trials import Share, Trials
from glideslope.engine.views import PlanView
from glideslope.interfaces.cli.words import span, table


def prospect_lines(view: PlanView) -> list[str]:
    """Say per harm how likely each step catches it, how many meet it until then, how long all takes and how it ends."""
    if not view.prospects:
        return []
    sound, *_ = view.prospects
    coins: list[str] = [s.name for s in view.plan.steps if s.has_coin or s.mirror]
    rows = [
        ["supposing", *(f"by {name}" for name in coins), "caught", "met until caught", "after", "inconclusive", "takes"]
    ]
    rows += [_prospect(each, coins) for each in view.prospects]
    lines = ["", *table(rows), ""]
    if sound.bottleneck:
        lines.append(f"  bottleneck    {sound.bottleneck}, for a sound candidate")
    lines.append(f"  at the most   {span(sound.worst_seconds)} until a person must look in the last step")
    lines += [f"  learned       {each.about} from {each.source} ({each.count:,})" for each in view.lessons]
    return lines


def pair_prospect_lines(view: PlanView) -> list[str]:
    """Say of each limit on pairs after how many of them, and when, the shadow proves it kept or finds it broken."""
    if not view.pair_prospects:
        return []
    rows = [["pairs", "at most", "if sound", "proven after", "in", "if bad", "caught after", "in"]]
    rows += [
        [
            each.kind,
            f"{each.limit:.4g}",
            f"{each.sound:.3g}{' (as before)' if each.learned else ''}",
            "-" if each.pairs_to_proof is None else f"{each.pairs_to_proof:,}",
            "-" if each.seconds_to_proof is None else span(each.seconds_to_proof),
            f"{each.bad:.3g}",
            "-" if each.pairs_to_catch is None else f"{each.pairs_to_catch:,}",
            "-" if each.seconds_to_catch is None else span(each.seconds_to_catch),
        ]
        for each in view.pair_prospects
    ]
    return ["", *table(rows)]


def _prospect(each: Prospect, coins: Sequence[str]) -> list[str]:
    by: dict[str, float] = {step.step: step.caught_by_now for step in each.steps}
    return [
        each.supposing,
        *(_chance(by[name]) for name in coins),
        _chance(each.caught),
        _met(each.exposed_median, each.exposed_95) if each.supposing != "healthy" else "-",
        span(each.seconds_to_catch) if each.seconds_to_catch is not None and each.supposing != "healthy" else "-",
        _chance(each.inconclusive),
        span(each.seconds),
    ]


def trial_lines(plan: Plan, found: Sequence[Trials], *, seed: int, skipped: Sequence[str]) -> list[str]:
    """Say how often the simulated rollouts ended how, with what chance leaves open."""
    rows = [["supposing", "runs", "promoted", "caught", "inconclusive", "met until caught", "after", "takes", "broke"]]
    rows += [_trials(each) for each in found]
    worst = max(abs(s.high - s.low) / 2 for t in found for s in (t.promoted, t.caught, t.inconclusive))
    paused = [f"  {t.supposing}: paused in {t.paused.share:.1%} of the runs" for t in found if t.paused.share]
    paused += [f"  {t.supposing}: a harm budget ended {t.spent.share:.1%} of the runs" for t in found if t.spent.share]
    return [
        f"{plan.model}: {plan.incumbent} -> {plan.candidate}, seed {seed}",
        "",
        *table(rows),
        "",
        f"  chance leaves each probability open by at most {worst:.1%} either way (95 of 100)",
        *paused,
        *(f"  {sentence}" for sentence in skipped),
        "Nothing has changed; nobody met anything.",
    ]


def _trials(each: Trials) -> list[str]:
    met, after = each.exposed, each.seconds_to_catch
    top = sorted(each.broke.items(), key=lambda item: -item[1])[:2]
    return [
        each.supposing,
        f"{each.runs:,}",
        _share(each.promoted),
        _share(each.caught),
        _share(each.inconclusive),
        "-" if met is None else _met(met.median, met.high),
        "-" if after is None else span(after.median),
        span(each.seconds.median),
        ", ".join(f"{name} {part:.0%}" for name, part in top) or "-",
    ]


def _share(each: Share) -> str:
    return f"{_chance(each.share)} [{each.low * 100:.3g}, {each.high * 100:.3g}]"


def _met(median: float | None, high: float | None) -> str:
    if median is None or high is None:
        return "-"
    return f"{median:,.0f}, 95%: {high:,.0f}"


def _chance(probability: float) -> str:
    if 0.0 < probability < 0.001:
        return "<0.1%"
    if 0.999 < probability < 1.0:
        return ">99.9%"
    return f"{probability * 100:.3g}%"
