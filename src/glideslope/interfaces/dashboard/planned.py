"""In what a plan differs from an earlier one, as rows of a table: what, then, now."""

from glideslope.domain.plan import Guardrail, Margin, MarginKind, Plan, Step
from glideslope.interfaces.dashboard.rendering import lasting, share

Row = tuple[str, str, str]


def changed(then: Plan, now: Plan) -> list[Row]:
    """Return in what a plan differs from an earlier one of the same model."""
    rows = [
        ("candidate", then.candidate, now.candidate),
        ("incumbent", then.incumbent, now.incumbent),
        ("owner", then.owner, now.owner),
        ("chance of a wrong rollback", f"{then.alpha:g}", f"{now.alpha:g}"),
        ("steps", " → ".join(map(step, then.steps)), " → ".join(map(step, now.steps))),
        ("approvals", str(then.approvals), str(now.approvals)),
        ("lease", lasting(then.lease), lasting(now.lease)),
    ]
    rules = [{g.metric.name: guardrail(g) for g in plan.guardrails} for plan in (then, now)]
    rows += [
        (f"guardrail {name}", rules[0].get(name, "none"), rules[1].get(name, "none"))
        for name in dict.fromkeys([*rules[0], *rules[1]])
    ]
    return [row for row in rows if row[1] != row[2]]


def step(found: Step) -> str:
    """Write one step: canary 10 % for 2 h."""
    size = f" {share(found.candidate)}" if found.candidate and found.stage != "full" else ""
    return f"{found.stage.value}{size} for {lasting(found.minimum)}"


def guardrail(found: Guardrail) -> str:
    """Write what a guardrail tolerates."""
    required = "" if found.required else ", only watched for harm"
    limit = f", never beyond {found.limit:g}" if found.limit is not None else ""
    return f"{margin(found.margin)} worse at most{limit}{required}"


def margin(found: Margin) -> str:
    """Write a margin: 25 % or 0.005."""
    return f"{found.size * 100:g} %" if found.kind is MarginKind.RELATIVE else f"{found.size:g}"
