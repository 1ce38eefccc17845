"""The page of an evidence pack: one page of summary first, then every record and clause; it needs nothing else to be read.

Nothing in it is taken as markup that came from the ledger. It allows its own style by hash, and nothing more.
"""

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from glideslope.domain.governing.change import Change, Fact, Placed, State
from glideslope.domain.governing.records import Record
from glideslope.ledger import note
from glideslope.ledger.checkpoint import Checkpoint

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --ground: #ffffff; --panel: #f6f8fa;
  --good: #1a7f37; --bad: #b3261e; --open: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b1; --line: #3d444d; --ground: #0d1117;
  --panel: #161b22; --good: #4ac26b; --bad: #ff7b72; --open: #d8a33c; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground); margin: 0 auto; padding: 1.5rem;
  max-width: 68rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 1.75rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; } p { margin: .4rem 0; max-width: 48rem; }
.soft { color: var(--soft); } .outcome { font-size: 1.1rem; padding: .6rem .9rem; border-left: .35rem solid; background: var(--panel); }
.good { color: var(--good); } .bad { color: var(--bad); } .open { color: var(--open); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; } caption { text-align: left; color: var(--soft); }
code { font: 12.5px ui-monospace, monospace; overflow-wrap: anywhere; } ul { margin: .2rem 0 .2rem 1.1rem; padding: 0; }
a { color: inherit; } details { margin: .3rem 0; } summary { cursor: pointer; }
@media print { :root { --ink: #000; --soft: #444; --line: #999; --ground: #fff; --panel: #fff; --good: #000; --bad: #000;
  --open: #000; } body { font-size: 10pt; max-width: none; padding: 0; } .sheet { break-before: page; }
  tr, h3 { break-inside: avoid; } .scroll { overflow: visible; } }
"""

_WORDS: Final = {
    State.EVIDENCED: ("evidenced", "good"),
    State.PARTLY: ("partly evidenced", "open"),
    State.NOT_EVIDENCED: ("NOT EVIDENCED", "bad"),
    State.NOT_APPLICABLE: ("not applicable", "soft"),
}
_STANDINGS: Final = {"on-record": ("on record", "good"), "partly-on-record": ("partly", "open"), "gap": ("GAP", "bad")}
_ENDINGS: Final = {
    "promote": ("Promoted", "good"),
    "roll-back": ("Rolled back", "bad"),
    "hold": ("Held", "open"),
    "advance": ("Under way", "open"),
}
_LONGEST: Final = 600


def page(change: Change, found: Sequence[Record], clauses: Mapping[str, Any], covered: Checkpoint) -> bytes:
    """Write the page, the same bytes for the same arguments."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    plan = change.plan
    title = f"{change.rollout}: {plan['model']} {plan['incumbent']} to {plan['candidate']}"
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body><main>",
        *_head(change, found, covered, title),
        *_missing(found),
        *_proven(change),
        *_story(change),
        *_records(found),
        *_clauses(clauses),
        "</main></body></html>",
        "",
    ]
    return "\n".join(lines).encode()


def _text(value: object) -> str:
    shown = "".join(
        letter if letter == "\n" or unicodedata.category(letter)[0] != "C" else "\ufffd" for letter in str(value)
    )
    return escape(shown)


def _word(word: tuple[str, str]) -> str:
    return f'<strong class="{word[1]}">{word[0]}</strong>'


def _table(caption: str, heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{_text(each)}</th>' for each in heading)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><caption>{_text(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _head(change: Change, found: Sequence[Record], covered: Checkpoint, title: str) -> Iterator[str]:
    plan, proposal = change.plan, change.proposal.entry
    decided = change.of("decided", stream=change.rollout)
    latest: Mapping[str, Any] = decided[-1].entry.body if decided else {}
    last: Mapping[str, Any] = latest.get("decision", {})
    word = _ENDINGS.get(str(last.get("type")), ("Proposed", "open"))
    reasons = ", ".join(map(str, last.get("reasons", ())))
    by = f" by {latest['by']} at {decided[-1].entry.at}" if decided else ""
    counts = {state: sum(one.found.state is state for one in found) for state in State}
    yield f"<h1>{_text(title)}</h1>"
    yield f'<p class="soft">Evidence pack. Change digest <code>{_text(change.digest)}</code></p>'
    yield f'<p class="outcome {word[1]}"><strong>{word[0]}</strong>{_text(by)}{_text(f" ({reasons})" if reasons else "")}</p>'
    yield _table(
        "The change",
        ("", ""),
        [
            ("Why", _text(plan["why"])),
            ("Owner", _text(plan["owner"])),
            ("Proposed", _text(f"by {proposal.body['by']} at {proposal.at}")),
            ("Approvals", _text(_approvals(change))),
            ("Candidate", f"{_text(plan['candidate'])} <code>{_text(plan['candidate_digest'])}</code>"),
            ("Incumbent", f"{_text(plan['incumbent'])} <code>{_text(plan['incumbent_digest'])}</code>"),
            (
                "Error rates",
                _text(f"rolled back though not worse: at most {plan['alpha']}; proof: {plan['alpha_pass']}"),
            ),
            (
                "Checkpoint",
                _text(f"{covered.size:,} entries of {covered.origin}, root {note.encode_base64(covered.root)}"),
            ),
        ],
    )
    yield (
        f"<p>Of 30 records {counts[State.EVIDENCED]} are evidenced, {counts[State.PARTLY]} partly, "
        f"{counts[State.NOT_APPLICABLE]} do not apply, and <strong>{counts[State.NOT_EVIDENCED]} are NOT EVIDENCED</strong>.</p>"
    )


def _approvals(change: Change) -> str:
    said = [_sign_off(one, change) for one in change.of("approval-given", "approval-withdrawn", stream=change.rollout)]
    needs = (change.plan.get("governed") or {}).get("needs", ())
    asked = [f"{need.get('count', 1)} of {need['function']}" for need in needs]
    return f"{', '.join(asked) or change.plan['approvals']} asked for; " + (", ".join(said) or "none given")


def _sign_off(one: Placed, change: Change) -> str:
    """Return who answered as what, and whether the answer was about the change as it was decided on in the end."""
    body: Mapping[str, Any] = one.entry.body
    if one.entry.kind == "approval-withdrawn":
        return f"withdrawn by {body['by']} (entry {one.position})"
    functions = body.get("functions", ())
    earlier = ", to an earlier state of the change" if body.get("change", change.digest) != change.digest else ""
    word = "granted" if body["granted"] else "denied"
    return f"{word} by {body['by']}{' as ' + ', '.join(functions) if functions else ''} (entry {one.position}{earlier})"


def _missing(found: Sequence[Record]) -> Iterator[str]:
    names = [f"{one.type.number} {one.type.title}" for one in found if one.found.state is State.NOT_EVIDENCED]
    yield (
        f'<p class="bad">Not evidenced: {_text("; ".join(names))}.</p>'
        if names
        else "<p>No record is missing whole.</p>"
    )


def _proven(change: Change) -> Iterator[str]:
    closed = bool(change.of("stream-closed", stream=change.rollout))
    story = (
        "The rollout has ended: its closing manifest shows that none of its entries is left out."
        if closed
        else "The rollout has not ended: what came after the checkpoint is not here."
    )
    yield "<h2>What this file proves</h2><ul>"
    for line in (
        "With the ledger's public key, which must not come with this file: every entry stands in the ledger as signed.",
        story,
        "Facts below that name an entry are quoted from it exactly; the verifier compares them.",
        "Any changed, missing, added or moved byte of this file shows.",
    ):
        yield f"<li>{_text(line)}</li>"
    yield "</ul><p><strong>Not proven:</strong> that the entries are true; that everything was recorded; when things happened, "
    yield "beyond the writer's clock; that others were shown the same ledger, unless checkpoints are compared.</p>"
    yield "<p>Check it: <code>python glideslope_verify.py FILE --key KEY</code>, one file that needs Python and nothing else.</p>"


def _story(change: Change) -> Iterator[str]:
    own = [placed for placed in change.entries if placed.entry.stream == change.rollout]
    yield '<h2 class="sheet">What happened</h2>'
    yield _table(
        "Every entry of the rollout, by the writer's clock",
        ("entry", "at", "what", "by", "why"),
        [(_place(one), _text(one.entry.at), _what(one), _text(one.entry.body.get("by", "")), _why(one)) for one in own],
    )


def _place(placed: Placed) -> str:
    return f'<span id="e{placed.position}">{placed.position}</span>'


def _what(placed: Placed) -> str:
    body: Mapping[str, Any] = placed.entry.body
    kind = placed.entry.kind
    if kind == "decided":
        return _text(f"decided: {body['decision']['type']}")
    if kind == "approval-given":
        return _text("approval granted" if body["granted"] else "approval denied")
    if kind == "traffic-confirmed":
        return _text(f"traffic confirmed after {body['milliseconds']:.0f} ms")
    return _text(kind.replace("-", " "))


def _why(placed: Placed) -> str:
    body: Mapping[str, Any] = placed.entry.body
    if placed.entry.kind == "decided":
        return _text(", ".join(body["decision"]["reasons"]) + (f": {body['why']}" if body.get("why") else ""))
    if placed.entry.kind == "rollout-proposed":
        return _text(body["plan"]["why"])
    return _text(body.get("why", ""))


def _records(found: Sequence[Record]) -> Iterator[str]:
    yield '<h2 class="sheet">The thirty records</h2>'
    yield _table(
        "Each answers one question of an auditor",
        ("#", "record", "answers", "state"),
        [
            (
                str(one.type.number),
                f'<a href="#r{one.type.number}">{_text(one.type.title)}</a>',
                _text(one.type.answers),
                _word(_WORDS[one.found.state]),
            )
            for one in found
        ],
    )
    for one in found:
        yield f'<h3 id="r{one.type.number}">{one.type.number}. {_text(one.type.title)}: {_word(_WORDS[one.found.state])}</h3>'
        if one.found.note:
            yield f"<p>{_text(one.found.note)}</p>"
        if one.found.facts:
            yield _table(one.type.file, ("fact", "value", "entry"), [_fact(fact) for fact in one.found.facts])
        if one.found.missing:
            items = "".join(f"<li>{_text(each)}</li>" for each in one.found.missing)
            yield f'<p class="soft">What would evidence {"the rest" if one.found.facts else "it"}:</p><ul>{items}</ul>'


def _fact(fact: Fact) -> tuple[str, str, str]:
    value = fact.value if isinstance(fact.value, str) else json.dumps(fact.value, ensure_ascii=False, sort_keys=True)
    shown = f"<code>{_text(value)}</code>" if not isinstance(fact.value, str) or len(value) > 60 else _text(value)
    if len(value) > _LONGEST:
        shown = f"<details><summary>{len(value):,} characters</summary><code>{_text(value)}</code></details>"
    where = "computed" if fact.entry is None else f"{fact.entry} <code>{_text(fact.pointer)}</code>"
    return _text(fact.name), shown, where


def _clauses(document: Mapping[str, Any]) -> Iterator[str]:
    yield '<h2 class="sheet">Clause map</h2>'
    yield f"<p>{_text(document['disclaimer'])}</p>"
    for regime in document["regimes"]:
        yield f"<h3>{_text(regime['title'])}</h3>"
        told = f"{regime['state']} As of {regime['as_of']}. {regime['source']} {regime['note']}"
        yield f'<p class="soft">{_text(told)}</p>'
        yield _table(
            f"Clauses of {regime['regime']}",
            ("clause", "asks", "records", "standing"),
            [
                (
                    _text(each["clause"]),
                    _text(each["asks"]),
                    ", ".join(f'<a href="#r{number}">{number}</a>' for number in each["records"]),
                    _word(_STANDINGS[each["standing"]])
                    + _text(f" missing: {', '.join(map(str, each['missing']))}" if each["missing"] else "")
                    + (f" <span class=soft>{_text(each['gap'])}</span>" if each["gap"] else ""),
                )
                for each in regime["clauses"]
            ],
        )
