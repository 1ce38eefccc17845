"""What somebody who is asked for a yes needs to see: what the proposal says of itself, and what stands against it."""

from glideslope.engine.views import RolloutView


def proposal_lines(view: RolloutView) -> list[str]:
    """Say what a proposal promises, risks, and does besides returning the traffic; nothing where it says nothing."""
    said = view.proposal
    if said is None:
        return []
    by = f" (to be seen by {said.benefit_metric})" if said.benefit_metric else ""
    lines = [f"  benefit   {said.benefit.strip() or 'not said'}{by}"]
    lines += [f"  risk      {risk.strip()}" for risk in said.risks or ("not said",)]
    lines.append(f"  way back  {said.rollback_plan.strip() or 'not said'}")
    use = {None: "whether it changes is not said", True: "OTHER than the incumbent's", False: "as the incumbent's"}
    return [*lines, f"  use       {use[said.intended_use_changed]}"]


def standing_lines(view: RolloutView) -> list[str]:
    """Say who has approved and whose approval is void, who may not approve, and what forbids the change at this moment."""
    under = view.governed
    if under is None:
        return []
    lines = [f"  tier      {under.tier}"] if under.tier else []
    lines += [f"  approved  by {a.by} as {', '.join(a.functions)}, until {a.until}" for a in under.approvals]
    lines += [f"  void      by {v.by} as {', '.join(v.functions)}, {v.at}: {v.why}" for v in under.void]
    lines += [f"  withdrawn by {name}" for name in under.withdrawn]
    if under.missing:
        lines += [f"  needs     {n.count} x {n.function}" for n in under.missing]
        if under.proving is not None:
            minutes = f"{under.proving.within / 60:g} minutes"
            lines.append(f"  proof     of who approves, by {' or '.join(under.proving.by)}, not older than {minutes}")
        barred = dict.fromkeys((view.proposed_by, *under.makers))
        lines.append(f"  barred    {', '.join(barred)}: proposed it or had a part in making it")
    return lines


def asked_lines(view: RolloutView) -> list[str]:
    """Say what was asked for before a yes, with the replies, and what people judged."""
    lines = []
    for more in view.asked:
        lines.append(f"  asked     {more.question}, by {more.by}, {more.at}: {more.why}")
        lines.append(
            f"            {more.replied_by} replied: {more.reply}" if more.replied_by else "            no reply yet"
        )
    lines += [f"  judged    by {j.by} in {j.step}, {j.at}: {', '.join(j.about)}. {j.why}" for j in view.judged]
    return lines


def rule_lines(view: RolloutView) -> list[str]:
    """Say what forbids a change: each rule with what it found, what it asks, and what would mend it."""
    under = view.governed
    if under is None:
        return []
    lines = []
    if under.asked and not view.ended:
        lines.append(f"  policy    {len(under.rules)} of its {under.asked} rules block this change")
    told = {f"{rule.rule}: {rule.why} ({rule.answer})": rule for rule in under.rules}
    for block in under.blocks:
        lines.append(f"  forbidden {block}")
        if rule := told.get(block):
            lines += [f"            asks: {rule.asks}", f"            mend: {rule.mend}"]
    return lines
