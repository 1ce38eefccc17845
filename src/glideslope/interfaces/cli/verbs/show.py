"""`glideslope show`: one rollout with all that was decided, or one model with all its versions."""

import click
import msgspec

from glideslope.engine.views import DecisionView, HappeningView, ModelView, RolloutView
from glideslope.interfaces.cli.exits import ApiRefused
from glideslope.interfaces.cli.lanes import lane_lines
from glideslope.interfaces.cli.reviewing import asked_lines, proposal_lines, rule_lines, standing_lines
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, say_bytes, talks
from glideslope.interfaces.cli.words import (
    guardrail_rows,
    headline,
    maturity_words,
    number,
    pair_rows,
    percent,
    span,
    step_words,
    table,
    worst_slice,
)
from glideslope.interfaces.cli.worth import with_prices, worth_lines


@click.command("show")
@click.argument("name")
@click.option("--as-of", type=click.IntRange(min=0), metavar="ENTRY", help="As it stood right after this ledger entry.")
@talks
def command(session: Session, *, name: str, as_of: int | None) -> None:
    """Show the rollout or the model NAME."""
    then = "" if as_of is None else f"?as_of={as_of}"
    try:
        answer = session.get(at("rollouts", name) + then)
    except ApiRefused as error:
        if error.status != 404:
            raise
        _show_model(session, name, then, refusal=error)
        return
    decisions, story = (session.get(at("rollouts", name, each) + then) for each in ("decisions", "story"))
    if session.as_json:
        raw = {"rollout": msgspec.Raw(answer), "decisions": msgspec.Raw(decisions), "story": msgspec.Raw(story)}
        say_bytes(msgspec.json.encode(raw))
        return
    lines = rollout_lines(read(answer, RolloutView))
    lines += decision_lines(read(decisions, tuple[DecisionView, ...]))
    lines += ["", *(f"  {each.at}  {each.sentence}" for each in read(story, tuple[HappeningView, ...]))]
    say("\n".join(lines))


def governed_lines(view: RolloutView) -> list[str]:
    """Say who has approved in which function, who is still needed, and what forbids it at this moment."""
    under = view.governed
    if under is None:
        return []
    lines = [*standing_lines(view), *lane_lines(under.lane), *rule_lines(view)]
    if under.glass:
        lines.append(f"  GLASS     {under.glass}")
    if under.after_breach:
        lines.append(f"  breach    {under.after_breach} ended by one; product, security and compliance must agree")
    return lines


def rollout_lines(view: RolloutView) -> list[str]:
    """Say where a rollout is, why, and how its guardrails look."""
    lines = [
        headline(view),
        f"  why       {view.why.strip()} ({view.owner})",
        *proposal_lines(view),
        f"  proposed  {view.proposed_at} by {view.proposed_by}",
    ]
    if view.attempt_of:
        lines.append(f"  attempt   after {view.attempt_of}")
    if view.approvals_needed:
        by = f" by {', '.join(view.approved_by)}" if view.approved_by else ""
        lines.append(f"  approvals {len(view.approved_by)} of {view.approvals_needed}{by}")
    lines += governed_lines(view)
    lines += [f"  denied    by {name}" for name in view.denied_by]
    lines += [f"  now       {sentence}" for sentence in view.sentences]
    if not view.ended:
        lines.append(f"  next      {view.next}")
    lines.append(
        f"  met       {view.candidate_subjects:,} subjects met the candidate; {view.rescued:,} of its failures were rescued"
    )
    if view.confirmation_ms is not None:
        lines.append(f"  confirmed {view.confirmation_ms:g} ms after the decision")
    lines += [*asked_lines(view), *worth_lines(view)]
    lines += [f"  mature    {words}" for step in view.steps if (words := maturity_words(step))]
    lines.append(f"  plan      {view.plan_digest}")
    rows = [["step", "stage", "state", "control", "least", "most", "candidate", "incumbent"]]
    rows += [
        [
            step.name,
            step_words(step),
            step.state,
            percent(step.control),
            span(step.minimum / 1000) if step.minimum else "none",
            span(step.maximum / 1000),
            f"{step.candidate_subjects:,}",
            f"{step.incumbent_subjects:,}",
        ]
        for step in view.steps
    ]
    lines += ["", *table(rows)]
    if view.guardrails:
        lines += ["", *table(with_prices(guardrail_rows(view.guardrails), view.guardrails))]
        if worst := worst_slice(view.guardrails):
            lines.append(f"  worst slice: {worst}")
    if view.pairs:
        lines += ["", *table(pair_rows(view.pairs))]
    return lines


def decision_lines(decisions: tuple[DecisionView, ...]) -> list[str]:
    """List decisions with their reasons and what they rest on."""
    lines = [""] if decisions else []
    for each in decisions:
        ordered = "" if each.by == "glideslope" else f" by {each.by}: {each.why}"
        lines.append(
            f"  {each.at}  #{each.version} (entry {each.entry})  {each.decision} [{', '.join(each.reasons)}]{ordered}"
        )
        lines += [f"      {sentence}" for sentence in each.sentences]
        lines += [
            f"      {f.question.value} {f.subject} {f.slice}: {f.verdict.value}, evidence {number(f.wealth)} of {number(f.line)}, "
            f"{f.candidate:,}/{f.incumbent:,} subjects"
            for f in each.findings
            if not (f.doubt or f.spending or f.difference)  # said in full above
        ]
    return lines


def _show_model(session: Session, name: str, then: str, *, refusal: ApiRefused) -> None:
    try:
        answer = session.get(at("models", name) + then)
    except ApiRefused as error:
        raise (refusal if error.status in {404, 422} else error) from None
    if session.as_json:
        say_bytes(msgspec.json.encode({"model": msgspec.Raw(answer)}))
        return
    view = read(answer, ModelView)
    say(f"{view.name}  served by {view.incumbent or 'nothing'}, {view.requests_per_second:g} requests a second")
    if view.rollout:
        say(f"  rollout in progress: {view.rollout}")
    rows = [["version", "state", "digest", "url", "registered", "by"]]
    rows += [[v.version, v.state, v.digest, v.url, v.at, v.by] for v in view.versions]
    say("\n".join(table(rows)))
    for arm, signals in view.signals.items():
        if signals:
            say(f"  {arm}: " + ", ".join(f"{key} {number(value)}" for key, value in signals.items()))
