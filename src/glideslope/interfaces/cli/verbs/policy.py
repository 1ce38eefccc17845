"""`glideslope policy`: a policy from a template to being tried out, and what it says about a dossier. Asks no server."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from glideslope.domain.errors import Invalid
from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.edits import told
from glideslope.domain.governing.policy import Outcome, Policy, examined, policy_digest
from glideslope.domain.governing.policy.comparing import changes
from glideslope.domain.governing.policy.damaging import score
from glideslope.domain.governing.policy.trying import Case, PathUnknown, Shift, Tried, dry_run, tried
from glideslope.domain.governing.policy.wording import explained, sentence, word
from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.policy_files import (
    cases_of,
    pasts,
    read_document,
    read_dossier,
    read_policy,
    with_advisories,
)
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option
from glideslope.interfaces.cli.shipped import DOSSIER_FILE, POLICIES, POLICY_FILE, POLICY_SCHEMA_FILE, shipped
from glideslope.interfaces.cli.verbs.init import FileExists

_path = click.Path(path_type=Path)
_policy_option = click.option(
    "-f", "--policy", "file", type=_path, default=POLICY_FILE, show_default=True, help="The policy."
)
_opa_option = click.option(
    "--opa", envvar="GLIDESLOPE_OPA", default="", metavar="URL", help="An OPA server that answers `opa` rules."
)
_opa_token_option = click.option(
    "--opa-token", envvar="GLIDESLOPE_OPA_TOKEN", default="", metavar="TOKEN", help="What to show it."
)


@click.group("policy", no_args_is_help=True)
def command() -> None:
    """Say what must be shown before a change goes on, try it out, and ask it about a dossier."""


@command.command("new")
@click.argument("kind", type=click.Choice(POLICIES))
@json_option
def new(kind: str, *, as_json: bool) -> None:
    """Write a policy to start from with its tests, a dossier that they change, and the schema for editors."""
    contents = {
        Path(POLICY_FILE): shipped(f"policies/{kind}.yaml"),
        Path(DOSSIER_FILE): shipped(f"policies/{DOSSIER_FILE}"),
        Path(POLICY_SCHEMA_FILE): shipped(POLICY_SCHEMA_FILE),
    }
    for path, content in contents.items():
        if path.exists() and (path.name == POLICY_FILE or path.read_text(encoding="utf-8") != content):
            raise FileExists(path)
    for path, content in contents.items():
        path.write_text(content, encoding="utf-8")
    if as_json:
        say(json.dumps({"files": [str(path) for path in contents], "written": True}))
        return
    say(f"Wrote {', '.join(str(path) for path in contents)}.")
    say("Next: glideslope policy explain  and  glideslope policy test")


@command.command("check")
@click.argument("file", type=_path, default=POLICY_FILE)
@json_option
def check(file: Path, *, as_json: bool) -> None:
    """Read the policy in FILE, and name it by its digest."""
    found = read_policy(file)
    digest, rules, cases = policy_digest(found.policy), len(found.policy.rules), len(found.cases)
    if as_json:
        _say_json({"name": found.policy.name, "digest": digest, "rules": rules, "cases": cases})
    else:
        say(f"{found.policy.name}: {rules} rules, {cases} cases.")
        say(f"Its digest is {digest}.")


@command.command("explain")
@click.argument("file", type=_path, default=POLICY_FILE)
@json_option
def explain(file: Path, *, as_json: bool) -> None:
    """Say in sentences what the policy in FILE asks."""
    policy = read_policy(file).policy
    if as_json:
        rules = [{"rule": r.id, "kind": r.kind(), "asks": r.asks(), "mend": r.mend()} for r in policy.rules]
        _say_json({"name": policy.name, "tiers": policy.tiers, "rules": rules})
    else:
        say("\n".join(explained(policy)))


@command.command("examine")
@_policy_option
@click.option("--dossier", type=_path, required=True, help="The dossier, in YAML or JSON.")
@click.option("--advisories", type=_path, help="A file of advisories in the OSV format, in place of the dossier's own.")
@_opa_option
@_opa_token_option
@json_option
@click.pass_context
def examine_(
    ctx: click.Context,
    *,
    file: Path,
    dossier: Path,
    advisories: Path | None,
    opa: str,
    opa_token: str,
    as_json: bool,
) -> None:
    """Ask a policy about a dossier. Ends with 3 when the change may not go on."""
    policy, about = read_policy(file).policy, with_advisories(read_dossier(dossier), advisories)
    found = examined(policy, about, _outside(ctx).told(policy, about, opa, opa_token))
    if as_json:
        _say_json({**msgspec.to_builtins(found), "passed": found.passed})
    else:
        mends = {rule.id: rule.mend() for rule in policy.rules}
        for answer in found.answers:
            say(f"{word(answer.outcome):<14} {answer.rule}: {sentence(answer)}")
            if answer.blocks:
                say(f"{'':<14} {mends[answer.rule]}")
        blocking = [answer.rule for answer in found.answers if answer.blocks]
        change = f"{about.change.model} {about.change.candidate}"
        say("")
        say(
            f"{change} may not go on: {len(blocking)} of {len(found.answers)} rules block it."
            if blocking
            else f"{change} may go on: all {len(found.answers)} rules are answered."
        )
    if not found.passed:
        ctx.exit(Exit.REFUSED)


@command.command("diff")
@click.argument("old", type=_path)
@click.argument("new", type=_path)
@json_option
def diff(old: Path, new: Path, *, as_json: bool) -> None:
    """Say in sentences what NEW asks otherwise than OLD, and whether that is stricter or looser."""
    before, after = read_policy(old).policy, read_policy(new).policy
    found = list(told(changes(before, after)))
    if as_json:
        _say_json({"old": policy_digest(before), "new": policy_digest(after), "differences": found})
    else:
        say("\n".join(found) if found else "They ask the same.")


@command.command("test")
@click.argument("file", type=_path, default=POLICY_FILE)
@click.option("--cases", "beside", type=_path, help="Cases in a file of their own; else those in FILE.")
@_opa_option
@_opa_token_option
@json_option
@click.pass_context
def test(ctx: click.Context, *, file: Path, beside: Path | None, opa: str, opa_token: str, as_json: bool) -> None:
    """Answer the cases of the policy in FILE. Ends with 1 when one is answered otherwise than it expects."""
    document = read_policy(file)
    cases, folder = cases_of(document, file, beside)
    if not cases:
        raise Invalid(f"{file} has no cases to test: write them under `cases`, or name their file with --cases.")
    documents: dict[str, Any] = {}
    results = []
    for case in cases:
        if case.dossier not in documents:
            documents[case.dossier] = read_document(folder / case.dossier)
        try:
            results.append(_tried(ctx, document.policy, case, documents[case.dossier], (opa, opa_token)))
        except PathUnknown as error:
            raise Invalid(f"The case {case.name!r} cannot be tried: {error}.") from None
    failed = [result for result in results if result.wrong]
    if as_json:
        _say_json({"cases": [{"name": r.case.name, "wrong": r.wrong} for r in results], "failed": len(failed)})
    else:
        for result in results:
            say(f"{'FAILED' if result.wrong else 'ok':<7} {result.case.name}")
            for each in result.wrong:
                say(f"{'':<7} {each}")
        say(f"{len(results) - len(failed)} of {len(results)} cases are answered as they should be.")
    if failed:
        ctx.exit(Exit.FAILED)


def _tried(ctx: click.Context, policy: Policy, case: Case, document: Mapping[str, Any], opa: tuple[str, str]) -> Tried:
    def told(about: Dossier) -> Mapping[str, Outcome]:
        return _outside(ctx).told(policy, about, *opa)

    return tried(policy, case, document, told)


@command.command("dry-run")
@click.argument("new", type=_path)
@click.option("--over", type=_path, required=True, help="A folder of past dossiers, or a ledger's bundle.")
@click.option("--old", type=_path, help="The policy that it would replace; else every blocked change is named.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the last N changes.")
@json_option
def dry_run_(new: Path, *, over: Path, old: Path | None, last: int | None, as_json: bool) -> None:
    """Say which changes that were NEW would have decided otherwise."""
    policy, before = read_policy(new).policy, None if old is None else read_policy(old).policy
    found = dry_run(policy, pasts(over, last=last), old=before)
    if as_json:
        _say_json(msgspec.to_builtins(found))
        return
    stopped = [shift for shift in found.shifts if shift.blocked]
    passed = [shift for shift in found.shifts if not shift.blocked]
    counted = f"{found.passed_before:,} change{'' if found.passed_before == 1 else 's'}"
    more = f" that {before.name} let pass" if before is not None else ""
    # (Of an edit those count that it could have stopped, not those that were stopped before.)
    among = f"the last {found.changes:,}" if last else f"{found.changes:,} in all"
    whole = f", of {among}" if found.changes != found.passed_before else ""
    edit = "This edit" if before is not None else policy.name
    say(f"{edit} would have blocked {len(stopped):,} of {counted}{more}{whole}.")
    _say_shifts(stopped)
    if passed:
        say(f"It would have let {len(passed)} pass that {before.name if before else ''} blocked.")
        _say_shifts(passed)


@command.command("damage")
@_policy_option
@click.option("--dossier", type=_path, required=True, help="A dossier that the policy lets pass.")
@json_option
@click.pass_context
def damage(ctx: click.Context, *, file: Path, dossier: Path, as_json: bool) -> None:
    """Damage a dossier field by field, and say which damage the policy does not notice. Ends with 1 when there is any."""
    found = score(read_policy(file).policy, read_document(dossier))
    if as_json:
        survived = [{"where": each.where, "how": each.how} for each in found.survived]
        _say_json({"done": found.done, "refused": found.refused, "blocked": found.blocked, "survived": survived})
    else:
        for each in found.survived:
            say(f"not noticed: {each.where}, {each.how}")
        say(
            f"{found.share:.1%} of {found.done:,} damages are noticed: {found.refused:,} by the dossier's form, "
            f"{found.blocked:,} by rules."
        )
    if found.survived:
        ctx.exit(Exit.FAILED)


def _say_shifts(shifts: Sequence[Shift]) -> None:
    for shift in shifts:
        reasons = "; ".join(shift.reasons[:3]) + ("; ..." if len(shift.reasons) > 3 else "")
        say(f"  {shift.name}  {', '.join(shift.rules)}: {reasons}")


def _outside(ctx: click.Context) -> Outside:
    found = ctx.find_object(Outside)
    assert found is not None  # noqa: S101 - a mistake of ours
    return found


def _say_json(content: object) -> None:
    say(json.dumps(content, ensure_ascii=False))
