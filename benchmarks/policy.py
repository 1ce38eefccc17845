"""What asking a policy costs, and which of nine damaged documents each engine lets pass, side by side on the same five rules.

    PYTHONPATH=src python benchmarks/policy.py [--quick] [--json]

All is CPU time. Peers are measured where they are installed, in a venv of their own: cel-expr-python, cedarpy, gordon-to-regorus,
regopy, jsonschema. Each is written as its own documentation writes rules; Rego both ways, as a deny-list and as what must be proven.
The document is the one of the first comparison: one change, 8 slices, 60 training fields, 3 approvals.
"""

import argparse
import importlib.metadata
import json
import statistics
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec

from glideslope.domain.errors import DossierInvalid
from glideslope.domain.governing.dossier import dossier_of, schema
from glideslope.domain.governing.policy import Policy, check_policy, examine
from glideslope.domain.governing.policy.damaging import score
from glideslope.domain.governing.policy.trying import as_agreed
from glideslope.interfaces.document import policies

FILES = Path(policies.__file__).parents[1] / "cli" / "files" / "policies"
SLICES = ["all", "region=EU", "region=US", "age<25", "age>=65", "new_customer", "thin_file", "branch"]
DIGEST = "sha256:" + "1" * 64
FUNCTIONS = ["product", "security", "compliance"]

FIVE: dict[str, Any] = {
    "policy": 1,
    "name": "five",
    "tiers": ["low", "medium", "high"],
    "rules": [
        {"id": "EVAL-01", "kind": "slices_evaluated", "slices": SLICES, "min_rows": 1},
        {"id": "EVAL-02", "kind": "evaluation_is_of_these_bytes"},
        {"id": "DATA-01", "kind": "no_training_field_tagged", "tags": ["pii"]},
        {"id": "SOD-01", "kind": "makers_may_not_approve", "who": ["proposer"]},
        {
            "id": "SIGN-01",
            "kind": "approved_by",
            "need": {"low": FUNCTIONS[:1], "medium": FUNCTIONS[:2], "high": FUNCTIONS},
        },
    ],
}


def peer_document() -> dict[str, Any]:
    """Return the document of the peers: small, and made for exactly these rules."""
    return {
        "now": 1_000,
        "change": {"proposer": "ana", "risk": "high", "artifact_digest": DIGEST},
        "required_slices": list(SLICES),
        "evaluation": {"artifact_digest": DIGEST, "slices": [{"name": name, "rows": 2_000} for name in SLICES]},
        "training_fields": [{"dataset": "claims", "name": f"f{k}", "tags": []} for k in range(60)],
        "approvals": [
            {"by": by, "role": role, "artifact_digest": DIGEST, "expires": 2_000}
            for by, role in zip(("paul", "sara", "carl"), FUNCTIONS, strict=True)
        ],
    }


def own_document() -> dict[str, Any]:
    """Return the shipped dossier with as many slices, fields and approvals."""
    path = FILES / "dossier.yaml"
    whole = policies.read_document(path.read_text("utf-8"), file=path.name)
    whole["candidate"]["datasets"][0]["fields"] = [
        {"name": f"f{k}", "tags": [], "traced": 3, "upstream": []} for k in range(60)
    ]
    whole["evaluations"][0]["results"] = [
        {"metric": metric, "slice": name, "rows": 2_000, "verdict": "pass"}
        for metric in ("auc", "calibration")
        for name in SLICES
    ]
    dossier = as_agreed(dossier_of(whole))
    return json.loads(msgspec.json.encode(dossier))


def without(document: dict[str, Any], *path: str | int, value: object = None, drop: bool = True) -> dict[str, Any]:
    """Return a copy with a part dropped, or given another value."""
    whole: Any = deepcopy(document)
    holder = whole
    for part in path[:-1]:
        holder = holder[part]
    if drop:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return whole


def nine(d: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the nine damaged documents as the peers see them."""
    one = {**d, "approvals": d["approvals"][:1]}
    yield "lineage missing", without(d, "training_fields")
    yield "evaluation missing", without(d, "evaluation")
    yield "evaluation has no digest", without(d, "evaluation", "artifact_digest")
    yield "risk missing, one approval", without(one, "change", "risk")
    yield "risk High, one approval", without(one, "change", "risk", value="High", drop=False)
    yield "required slices empty", without(d, "required_slices", value=[], drop=False)
    yield "tags null on one field", without(d, "training_fields", 7, "tags", drop=False)
    yield "approvals missing", without(d, "approvals")
    yield "approvals empty", without(d, "approvals", value=[], drop=False)


def own_nine(d: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield the same as dossiers; None where the damage is one of the policy."""
    one = {**d, "approvals": d["approvals"][:1]}
    yield "lineage missing", without(d, "candidate", "datasets")
    yield "evaluation missing", without(d, "evaluations")
    yield "evaluation has no digest", without(d, "evaluations", 0, "of")
    yield "risk missing, one approval", without(one, "tier")
    yield "risk High, one approval", without(one, "tier", value="High", drop=False)
    yield "required slices empty", None
    yield "tags null on one field", without(d, "candidate", "datasets", 0, "fields", 7, "tags", drop=False)
    yield "approvals missing", without(d, "approvals")
    yield "approvals empty", without(d, "approvals", value=[], drop=False)


def own_passes(policy: Policy, document: dict[str, Any] | None) -> bool:
    """Tell whether ours lets a dossier pass; what people agreed on is taken to be the damaged one, so that no digest gives it away."""
    if document is None:
        try:
            rules = [{**rule, **({"slices": []} if "slices" in rule else {})} for rule in FIVE["rules"]]
            check_policy(msgspec.convert({**FIVE, "rules": rules}, Policy))
        except msgspec.ValidationError:
            return False
        return True
    try:
        dossier = as_agreed(dossier_of(document))
    except DossierInvalid:
        return False
    return not any(answer.blocks for answer in examine(policy, dossier))


DENY = """package rollout
import rego.v1
measured contains s.name if some s in input.evaluation.slices
valid contains a.role if {
  some a in input.approvals
  a.by != input.change.proposer
  a.artifact_digest == input.change.artifact_digest
  a.expires > input.now
}
deny contains sprintf("no result on %v", [r]) if { some r in input.required_slices; not measured[r] }
deny contains "another artifact" if input.evaluation.artifact_digest != input.change.artifact_digest
deny contains sprintf("%v is pii", [f.name]) if { some f in input.training_fields; some t in f.tags; t == "pii" }
deny contains sprintf("%v approved", [a.by]) if { some a in input.approvals; a.by == input.change.proposer }
deny contains sprintf("%v has not approved", [role]) if {
  input.change.risk == "high"
  some role in ["product", "security", "compliance"]
  not valid[role]
}
"""
PROVEN = """package rollout
import rego.v1
signers := {"low": {"product"}, "medium": {"product", "security"}, "high": {"product", "security", "compliance"}}
measured contains s.name if some s in input.evaluation.slices
valid contains a.role if {
  some a in input.approvals
  a.by != input.change.proposer
  a.artifact_digest == input.change.artifact_digest
  a.expires > input.now
}
rules := {"EVAL-01", "EVAL-02", "DATA-01", "SOD-01", "SIGN-01"}
passed contains "EVAL-01" if { count(input.required_slices) > 0; every r in input.required_slices { measured[r] } }
passed contains "EVAL-02" if input.evaluation.artifact_digest == input.change.artifact_digest
passed contains "DATA-01" if {
  count(input.training_fields) > 0
  every f in input.training_fields { is_array(f.tags); every t in f.tags { t != "pii" } }
}
passed contains "SOD-01" if {
  count(input.approvals) > 0
  every a in input.approvals { a.by != input.change.proposer }
}
passed contains "SIGN-01" if count(signers[input.change.risk] - valid) == 0
deny := rules - passed
"""
CEL = (
    "required_slices.all(r, evaluation.slices.exists(s, s.name == r))"
    " && evaluation.artifact_digest == change.artifact_digest"
    " && training_fields.all(f, !('pii' in f.tags))"
    " && !approvals.exists(a, a.by == change.proposer)"
    " && (change.risk != 'high' || ['product', 'security', 'compliance'].all(role, approvals.exists(a, a.role == role"
    " && a.by != change.proposer && a.artifact_digest == change.artifact_digest && a.expires > now)))"
)
CEL_FINDINGS = (
    "required_slices.filter(r, !evaluation.slices.exists(s, s.name == r))"
    " + (evaluation.artifact_digest == change.artifact_digest ? [] : ['another artifact'])"
    " + training_fields.filter(f, 'pii' in f.tags).map(f, f.name)"
    " + approvals.filter(a, a.by == change.proposer).map(a, a.by)"
    " + {'low': ['product'], 'medium': ['product', 'security'], 'high': ['product', 'security', 'compliance']}[change.risk]"
    ".filter(role, !approvals.exists(a, a.role == role && a.by != change.proposer"
    " && a.artifact_digest == change.artifact_digest && a.expires > now))"
)
CEDAR = """
permit (principal, action == Action::"start_rollout", resource);
@id("EVAL-01") forbid (principal, action == Action::"start_rollout", resource)
unless { resource.evaluated_slices.containsAll(resource.required_slices) };
@id("EVAL-02") forbid (principal, action == Action::"start_rollout", resource)
unless { resource.evaluation_digest == resource.artifact_digest };
@id("DATA-01") forbid (principal, action == Action::"start_rollout", resource)
when { resource.training_tags.contains("pii") };
@id("SOD-01") forbid (principal, action == Action::"start_rollout", resource)
when { resource.approvers.contains(resource.proposer) };
@id("SIGN-01") forbid (principal, action == Action::"start_rollout", resource)
when { resource.risk == "high" } unless { resource.valid_signoffs.containsAll(["product", "security", "compliance"]) };
"""
CEDAR_SCHEMA = """
entity User;
entity Change = {
  evaluated_slices: Set<String>, required_slices: Set<String>, evaluation_digest: String, artifact_digest: String,
  training_tags: Set<String>, approvers: Set<String>, proposer: String, risk: String, valid_signoffs: Set<String>,
};
action start_rollout appliesTo { principal: User, resource: Change };
"""

Passes = Callable[[dict[str, Any]], bool]


def flat(d: dict[str, Any]) -> dict[str, Any]:
    """Return a change's attributes for Cedar; what cannot be made from the document is left out, as a connector would."""
    makers: dict[str, Callable[[], Any]] = {
        "evaluated_slices": lambda: [s["name"] for s in d["evaluation"]["slices"]],
        "required_slices": lambda: d["required_slices"],
        "evaluation_digest": lambda: d["evaluation"]["artifact_digest"],
        "artifact_digest": lambda: d["change"]["artifact_digest"],
        "training_tags": lambda: sorted({tag for f in d["training_fields"] for tag in f["tags"]}),
        "approvers": lambda: [a["by"] for a in d["approvals"]],
        "proposer": lambda: d["change"]["proposer"],
        "risk": lambda: d["change"]["risk"],
        "valid_signoffs": lambda: [
            a["role"]
            for a in d["approvals"]
            if a["by"] != d["change"]["proposer"] and a["artifact_digest"] == d["change"]["artifact_digest"]
        ],
    }
    found = {}
    for name, make in makers.items():
        try:
            found[name] = make()
        except (KeyError, TypeError):
            continue
    return found


def peers() -> Iterator[tuple[str, str, Passes]]:
    """Yield name, version and decision of each peer that is installed."""
    try:
        from cel_expr_python import cel

        env = cel.NewEnv(variables=dict.fromkeys(peer_document(), cel.Type.DYN))
        whole, findings = env.compile(CEL), env.compile(CEL_FINDINGS)
        version = importlib.metadata.version("cel-expr-python")
        yield "CEL, boolean", f"cel-expr-python {version}", lambda d: whole.eval(data=d).plain_value() is True
        yield "CEL, findings", f"cel-expr-python {version}", lambda d: findings.eval(data=d).plain_value() == []
    except ModuleNotFoundError:
        pass
    try:
        import cedarpy

        version = importlib.metadata.version("cedarpy")
        request = {
            "principal": 'User::"server"', "action": 'Action::"start_rollout"', "resource": 'Change::"c"', "context": {},
        }  # fmt: skip

        def cedar(d: dict[str, Any], shape: str | None) -> bool:
            entities = [
                {"uid": {"type": "Change", "id": "c"}, "attrs": flat(d), "parents": []},
                {"uid": {"type": "User", "id": "server"}, "attrs": {}, "parents": []},
            ]
            return bool(cedarpy.is_authorized(request, CEDAR, entities, shape).allowed)

        yield "Cedar, no schema", f"cedarpy {version}", lambda d: cedar(d, None)
        yield "Cedar with schema", f"cedarpy {version}", lambda d: cedar(d, CEDAR_SCHEMA)
    except ModuleNotFoundError:
        pass
    for style, text in (("deny-list", DENY), ("must be proven", PROVEN)):
        try:
            import regorus

            engine = regorus.Engine()
            engine.add_policy("rollout.rego", text)

            def rust(d: dict[str, Any], engine: regorus.Engine = engine) -> bool:
                engine.set_input_json(json.dumps(d))
                return not engine.eval_rule("data.rollout.deny")

            yield f"Rego, {style}", f"gordon-to-regorus {importlib.metadata.version('gordon-to-regorus')}", rust
        except ModuleNotFoundError:
            pass
        try:
            import regopy

            interpreter = regopy.Interpreter()
            interpreter.add_module("rollout", text)

            def cpp(d: dict[str, Any], interpreter: regopy.Interpreter = interpreter) -> bool:
                interpreter.set_input(d)
                found = json.loads(str(interpreter.query("x = data.rollout.deny")))
                return found[0]["bindings"]["x"] == [] if isinstance(found, list) else found["bindings"]["x"] == []

            yield f"Rego, {style}", f"regopy {importlib.metadata.version('regopy')}", cpp
        except ModuleNotFoundError:
            pass


def timed(call: Callable[[], Any], *, times: int) -> tuple[float, float]:
    """Return minimum and median CPU milliseconds of a call."""
    call()
    took = []
    for _ in range(times):
        began = time.process_time_ns()
        call()
        took.append((time.process_time_ns() - began) / 1e6)
    return min(took), statistics.median(took)


def measured(call: Passes, document: dict[str, Any], *, times: int) -> dict[str, Any]:
    """Measure one engine."""
    let_pass = []
    for name, damaged in nine(document):
        try:
            passes = call(damaged)
        except Exception:  # noqa: BLE001 - an engine's error is no permission
            passes = False
        if passes:
            let_pass.append(name)
    good = call(document)
    low, middle = timed(lambda: call(document), times=times)
    return {"min_ms": low, "median_ms": middle, "good_passes": good, "fails_open": let_pass}


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    times = 50 if options.quick else 500
    own = own_document()
    five: Policy = msgspec.convert(FIVE, Policy)
    bank = policies.read((FILES / "regulated-bank.yaml").read_text("utf-8"), file="bank").policy
    need = {"EVAL-SLICES": ("slices", SLICES[:3]), "FAIRNESS": ("min_rows", 1)}
    bank = msgspec.structs.replace(
        bank,
        rules=tuple(
            msgspec.structs.replace(
                r, **{need[r.id][0]: tuple(need[r.id][1]) if r.id == "EVAL-SLICES" else need[r.id][1]}
            )
            if r.id in need
            else r
            for r in bank.rules
        ),
    )
    twenty = msgspec.structs.replace(bank, rules=bank.rules[:20])
    raw = json.dumps(own).encode()
    dossier = dossier_of(own)
    assert not any(answer.blocks for answer in examine(bank, dossier))
    rows: dict[str, Any] = {}

    def whole(policy: Policy) -> object:
        return examine(policy, dossier_of(msgspec.json.decode(raw)))

    for name, call in (
        ("five rules alone", lambda: examine(five, dossier)),
        ("dossier's form and five rules, from JSON", lambda: whole(five)),
        ("dossier's form alone, from JSON", lambda: dossier_of(msgspec.json.decode(raw))),
        ("20 rules alone", lambda: examine(twenty, dossier)),
        ("dossier's form and 20 rules, from JSON", lambda: whole(twenty)),
        (f"dossier's form and all {len(bank.rules)} rules, from JSON", lambda: whole(bank)),
    ):
        low, middle = timed(call, times=times)
        rows[f"Glideslope: {name}"] = {"min_ms": low, "median_ms": middle}
    rows["Glideslope: dossier's form and five rules, from JSON"] |= {
        "good_passes": own_passes(five, own),
        "fails_open": [name for name, damaged in own_nine(own) if own_passes(five, damaged)],
    }
    document = peer_document()
    for name, version, call in peers():
        rows[f"{name} ({version})"] = measured(call, document, times=times)
    try:
        import jsonschema

        validator = jsonschema.Draft202012Validator(dict(schema()))
        low, middle = timed(lambda: validator.is_valid(own), times=max(5, times // 20))
        rows[f"our dossier's schema by jsonschema {importlib.metadata.version('jsonschema')}"] = {
            "min_ms": low, "median_ms": middle,
        }  # fmt: skip
    except ModuleNotFoundError:
        pass
    damage = score(
        policies.read((FILES / "regulated-bank.yaml").read_text("utf-8"), file="bank").policy, shipped_document()
    )
    found = {
        "bytes": len(raw), "rows": rows,
        "damage": {"done": damage.done, "refused": damage.refused, "blocked": damage.blocked, "share": damage.share},
    }  # fmt: skip
    if options.json:
        print(json.dumps(found, indent=1))
        return
    print(f"dossier of {len(raw):,} bytes; {times} calls, CPU milliseconds\n")
    for name, row in rows.items():
        opened = row.get("fails_open")
        told = "" if opened is None else f"  lets {len(opened)} of 9 pass: {', '.join(opened) or '-'}"
        wrong = "" if row.get("good_passes", True) else "  BUT REFUSES THE GOOD ONE"
        print(f"{name:<66} {row['min_ms']:8.3f} {row['median_ms']:8.3f}{told}{wrong}")
    print(
        f"\ndamage: {damage.done} done, {damage.refused} refused, {damage.blocked} blocked: {damage.share:.1%} noticed"
    )


def shipped_document() -> dict[str, Any]:
    """Return the shipped dossier as it is."""
    path = FILES / "dossier.yaml"
    return policies.read_document(path.read_text("utf-8"), file=path.name)


if __name__ == "__main__":
    main()
