"""From the text of `evaluation.yaml` to what is declared; whatever is wrong is refused with its place in the file."""

from typing import Any, Final

from pydantic import ValidationError

from glideslope.domain.plan import MarginKind
from glideslope.evaluate.declared import ANSWERS, PER_CLASS, QUALITY, SERVICE, Evaluation
from glideslope.evaluate.spelling import text_of
from glideslope.interfaces.document import tree
from glideslope.interfaces.document.reading import refusal
from glideslope.interfaces.document.showing import DIALECT, without_null
from glideslope.interfaces.document.text import DocumentInvalid, Source
from glideslope.interfaces.document.tree import Path, Tree, dotted


class EvaluationInvalid(DocumentInvalid):
    """An evaluation that cannot be read or cannot be carried out, with its place in the file."""

    code = "evaluation-invalid"

    def __init__(self, sentence: str, **place: Any) -> None:  # noqa: ANN401 - those of DocumentInvalid
        super().__init__(sentence, **place)
        self.next_command = "glideslope schema evaluation"


_LATENCIES: Final = ("latency_p50", "latency_p95", "latency_p99")
_LOADED: Final = ("latency_p50", "latency_p95", "latency_p99", "throughput", "cost")


def read(text: str, *, file: str) -> tuple[Evaluation, Tree]:
    """Read an evaluation as written, with the place of each part. Raises EvaluationInvalid."""
    found = tree.read(Source(text=text, file=file, what="evaluation", error=EvaluationInvalid))
    try:
        written = Evaluation.model_validate(found.value)
    except ValidationError as error:
        raise refusal(error, found, root=Evaluation) from None
    _check_versions(written, found)
    _check_data(written, found)
    _check_targets(written, found)
    _check_kind(written, found)
    _check_scenarios(written, found)
    return _with_answer(written), found


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the file."""
    made: dict[str, Any] = without_null(Evaluation.model_json_schema(by_alias=True))
    return {"$schema": DIALECT, **made, "title": "evaluation.yaml"}


def refused(found: Tree, sentence: str, *path: str | int, key: bool = True) -> DocumentInvalid:
    """Return the refusal that points at a key (or at its value)."""
    where: Path = path
    return found.source.refusal(sentence, found.span(where, key=key), where=dotted(where))


def _check_versions(written: Evaluation, found: Tree) -> None:
    for arm in ("candidate", "incumbent"):
        served = getattr(written, arm)
        if (served.command is None) == (served.url is None):
            raise refused(found, f"the {arm} has either a `command` that starts it or a `url` where it answers", arm)
        if served.url is not None and not served.url.startswith(("http://", "https://")):
            raise refused(found, f"`{served.url}` is no http address", arm, "url", key=False)
    if written.candidate.version == written.incumbent.version:
        raise refused(found, "candidate and incumbent are the same version", "candidate", "version", key=False)


def _check_data(written: Evaluation, found: Tree) -> None:
    data, split = written.data, written.split
    if (data.file is None) == (data.test is None):
        raise refused(found, "data is either one `file` that is split here, or `test` with what was held out", "data")
    if data.file is not None and data.train is not None:
        raise refused(found, "with `file` the training rows are what the split leaves", "data", "train")
    if (data.file is not None) != (split is not None):
        where = ("split",) if split is not None else ("data", "file")
        raise refused(found, "`split` says which rows of `data.file` are held out: the two come together", *where)
    if split is not None and (split.after is None) == (split.share is None):
        raise refused(found, "a split holds out either what comes `after` a moment or a `share`", "split")
    if split is not None and split.after is not None and data.time is None:
        raise refused(found, "to split by time, say which column is the time: `data.time`", "split", "after")
    if split is not None and split.gap and split.after is None:
        raise refused(found, "a gap belongs to a split by time", "split", "gap")
    if written.seasons and data.time is None:
        raise refused(found, "seasons need the column with the time: `data.time`", "seasons")
    if data.known_at and data.time is None:
        raise refused(
            found, "`known_at` is compared with the moment of the prediction: `data.time`", "data", "known_at"
        )


def _with_answer(written: Evaluation) -> Evaluation:
    """Fill in where an answer is looked for, which depends on the kind of outcome."""
    answer = written.request.answer or ANSWERS[written.data.kind]
    return written.model_copy(update={"request": written.request.model_copy(update={"answer": answer})})


def _check_kind(written: Evaluation, found: Tree) -> None:
    """Refuse what does not belong to the kind of outcome."""
    data, kind = written.data, written.data.kind
    measured = (*QUALITY[kind], *(PER_CLASS if kind == "multiclass" else ()))
    for name in written.targets.declared():
        if name not in measured and name not in SERVICE:
            raise refused(
                found,
                f"`{name}` is not measured of a {kind} outcome (`data.kind`); there are {', '.join(measured)}",
                "targets",
                name,
            )
    if kind != "binary" and "positive" in data.model_fields_set:
        raise refused(found, f"a {kind} outcome has no `positive`", "data", "positive")
    if kind != "multiclass" and data.classes is not None:
        raise refused(found, "`classes` belong to `kind: multiclass`", "data", "classes")
    names = [text_of(each) for each in data.classes or ()]
    if data.classes is not None and (len(names) < 2 or len(set(names)) < len(names)):
        raise refused(found, "classes are two or more, each once", "data", "classes")
    r2 = written.targets.r2
    for key in ("margin", "slices"):
        margin = getattr(r2, key, None)
        if margin is not None and margin.kind is MarginKind.RELATIVE:
            sentence = "r2 may be negative, and a share of it means nothing then: write an absolute margin like 0.02"
            raise refused(found, sentence, "targets", "r2", key, key=False)
    for k, each in enumerate(written.scenarios.direction):
        path = ("scenarios", "direction", k)
        if kind == "multiclass" and (each.of is None or text_of(each.of) not in names):
            sentence = f"say the class whose probability is meant: `of`, one of {', '.join(names) or '`data.classes`'}"
            raise refused(found, sentence, *path)
        if kind != "multiclass" and each.of is not None:
            raise refused(found, "`of` names a class, and belongs to `kind: multiclass`", *path, "of")
    stability = written.scenarios.stability
    if kind == "regression" and stability is not None and "tolerance" not in stability.model_fields_set:
        sentence = "say the `tolerance` in the unit of the outcome; the default is one of probabilities"
        raise refused(found, sentence, "scenarios", "stability")


def _check_targets(written: Evaluation, found: Tree) -> None:
    declared = written.targets.declared()
    if not declared:
        raise refused(found, "an evaluation needs at least one target", "targets")
    for name, target in declared.items():
        path = ("targets", name)
        if target.limit is None and target.margin is None:
            raise refused(found, f"`{name}` needs a `limit` or a `margin`, else nothing could fail", *path)
        if (
            target.slices is not None
            and name not in QUALITY[written.data.kind]
            and (name in SERVICE or name in PER_CLASS)
        ):
            raise refused(found, f"`{name}` is not looked at by slice", *path, "slices")
        if target.slices is not None and not written.slices and not written.seasons:
            raise refused(found, "there are no `slices` to look at", *path, "slices")
        if name in _LOADED and written.load is None:
            raise refused(found, f"`{name}` is measured under load: say `load: {{levels: [...]}}`", *path)
    if written.targets.cost is not None:
        cost = written.cost
        if cost is None or (cost.per_cpu_hour is None) == (cost.per_hour is None):
            raise refused(
                found, "a target of cost needs `cost` with one price: `per_cpu_hour` or `per_hour`", "targets", "cost"
            )
        if cost.per_cpu_hour is not None and (written.candidate.command is None or written.incumbent.command is None):
            raise refused(
                found,
                "the CPU time of a server that others started cannot be seen: use `command`",
                "cost",
                "per_cpu_hour",
            )
    _check_load(written, found)


def _check_load(written: Evaluation, found: Tree) -> None:
    load, declared = written.load, written.targets.declared()
    if load is not None:
        if list(load.levels) != sorted(set(load.levels)):
            raise refused(found, "levels ascend", "load", "levels")
        if load.latency_at is not None and load.latency_at not in load.levels:
            raise refused(found, "latency is judged at one of the levels", "load", "latency_at")
        throughput = declared.get("throughput")
        if throughput is not None and throughput.limit is not None and throughput.limit > load.levels[-1]:
            raise refused(
                found,
                f"no more than {load.levels[-1]:g} per second are offered, so this cannot be shown",
                "targets",
                "throughput",
                "limit",
            )
        for name in _LATENCIES:
            target = declared.get(name)
            if target is not None and (target.limit or 0.0) >= written.request.timeout:
                raise refused(
                    found,
                    f"what takes longer than `request.timeout` ({written.request.timeout} ms) is a failure",
                    "targets",
                    name,
                    "limit",
                )
        if load.replay and written.data.time is None:
            raise refused(found, "a replay follows the time of the data: `data.time`", "load", "replay")


def _check_scenarios(written: Evaluation, found: Tree) -> None:
    features = written.data.features
    if features is None:
        return
    asked = [
        *(("scenarios", "invariance", k, "change", each.change) for k, each in enumerate(written.scenarios.invariance)),
        *(("scenarios", "direction", k, "raise", each.raised) for k, each in enumerate(written.scenarios.direction)),
        *(("data", "known_at", name, name) for name in written.data.known_at),
    ]
    for *path, name in asked:
        if name not in features:
            raise refused(found, f"`{name}` is none of the features", *path, key=False)
