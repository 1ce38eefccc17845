"""The rows of an evaluation: what they mean, split by time or by group, each known by a digest. Repairs nothing."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final, assert_never

import msgspec
import numpy as np
import numpy.typing as npt

from glideslope.evaluate.declared import Evaluation
from glideslope.evaluate.files import RowsInvalid, read_rows
from glideslope.evaluate.reading import refused
from glideslope.evaluate.spelling import Value, text_of
from glideslope.interfaces.document.tree import Tree

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Truth = npt.NDArray[np.bool_] | npt.NDArray[np.int64] | npt.NDArray[np.float64]
"""What happened: which rows are positive, the number of each row's class, or each row's number."""

MOST_LISTED: Final = 12
"""Values or columns that an error lists."""


@dataclass(frozen=True)
class Part:
    """Some rows, in the file's order. Columns are lists of JSON scalars of one length; `None` is a missing value.

    `outcome` tells the positive rows, numbers the class, or is the number, by kind. `time` is in seconds since 1970, UTC. `group`
    numbers the groups from 0, each row being its own where no group is declared; `keys` are their names, then empty.
    """

    columns: Mapping[str, Sequence[Value]]
    features: tuple[str, ...]
    outcome: Truth
    time: Floats | None
    group: Ints
    keys: tuple[str, ...]
    identity: tuple[str, ...]
    """The columns by which two rows are the same: features, outcome, and time and group where declared."""

    def __len__(self) -> int:
        return len(self.outcome)

    @cached_property
    def digests(self) -> tuple[bytes, ...]:
        """Return a digest of each row, over the columns of its identity."""
        return tuple(_row_digest([self.columns[name][k] for name in self.identity]) for k in range(len(self)))

    @cached_property
    def digest(self) -> str:
        """Return the digest of all rows in order."""
        return "sha256:" + hashlib.sha256(b"".join(self.digests)).hexdigest()

    @cached_property
    def numeric(self) -> Mapping[str, Floats]:
        """Return the features that are numbers (or missing) in all rows, NaN where missing; one at least is a number."""
        found: dict[str, Floats] = {}
        for name in self.features:
            column = self.columns[name]
            if all(v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in column):
                numbers = np.array([math.nan if v is None else float(v) for v in column])
                if not np.isnan(numbers).all():
                    found[name] = numbers
        return found

    def named(self, k: int) -> dict[str, Value]:
        """Return a row's features by name."""
        return {name: self.columns[name][k] for name in self.features}

    def select(self, rows: Ints) -> "Part":
        """Return these rows, with their groups numbered anew."""
        kept, group = np.unique(self.group[rows], return_inverse=True)
        return Part(
            columns={name: [column[k] for k in rows] for name, column in self.columns.items()},
            features=self.features,
            outcome=self.outcome[rows],
            time=None if self.time is None else self.time[rows],
            group=group.astype(np.int64),
            keys=tuple(self.keys[k] for k in kept) if self.keys else (),
            identity=self.identity,
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """The held-out rows, the rows that were learned from (None if nobody said), and the digests of their files."""

    test: Part
    train: Part | None
    files: Mapping[str, str]


def prepare(written: Evaluation, found: Tree, *, folder: Path) -> Prepared:
    """Read the files beside the document and split them. Raises EvaluationInvalid, RowsInvalid, NotFound."""
    data = written.data
    files: dict[str, str] = {}

    def part(key: str, name: str) -> Part:
        columns, files[name] = read_rows(folder / name)
        return _part(columns, written, found, key=key, name=name)

    if data.file is not None:
        whole = part("file", data.file)
        test, train = _split(whole, written, found)
        prepared = Prepared(test=whole.select(test), train=whole.select(train), files=files)
    else:
        assert data.test is not None  # noqa: S101 - checked when it was read
        held_out = part("test", data.test)
        learned = None if data.train is None else part("train", data.train)
        prepared = Prepared(test=held_out, train=learned, files=files)
    _require_difference(prepared.test, written, found)
    return prepared


def _require_difference(test: Part, written: Evaluation, found: Tree) -> None:
    """Refuse held-out rows that all have the same outcome: they can tell no model from a constant."""
    data = written.data
    if test.outcome.min() != test.outcome.max():
        return
    same = test.columns[data.outcome][0]
    match data.kind:
        case "binary":
            count, where = int(test.outcome.sum()), "positive" if data.positive != 1 else "outcome"
            values = _distinct(test.columns[data.outcome])
            raise refused(
                found,
                f"of {len(test):,} held-out rows {count:,} are positive: there must be some of both kinds (`{data.outcome}` holds "
                f"{values}; `data.positive` is {text_of(data.positive)})",
                "data",
                where,
                key=False,
            )
        case "multiclass" | "regression":
            sentence = f"all {len(test):,} held-out rows have the outcome {same!r}: nothing can be told from them"
            raise refused(found, sentence, "data", "outcome", key=False)
        case _:
            assert_never(data.kind)


def _distinct(column: Sequence[Value]) -> str:
    """List the values of a column, as people would write them."""
    names = list(dict.fromkeys(text_of(v) for v in column))
    shown = sorted(names)[:MOST_LISTED]
    return ", ".join(shown) + (f", ... ({len(names):,} values)" if len(names) > MOST_LISTED else "")


def write_lines(part: Part, path: Path) -> None:
    """Write rows as JSON lines, all their columns, so that a trainer learns from exactly these."""
    names = list(part.columns)
    rows = zip(*part.columns.values(), strict=True)
    encoder = msgspec.json.Encoder()
    path.write_bytes(b"".join(encoder.encode(dict(zip(names, row, strict=True))) + b"\n" for row in rows))


def _row_digest(values: Iterable[Value]) -> bytes:
    # The same number is the same value, however a file spells it.
    plain = [float(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in values]
    return hashlib.blake2b(msgspec.json.encode(plain), digest_size=16).digest()


def _part(columns: Mapping[str, Sequence[Value]], written: Evaluation, found: Tree, *, key: str, name: str) -> Part:
    data = written.data

    def column(wanted: str, *path: str | int) -> Sequence[Value]:
        if wanted not in columns:
            shown = ", ".join(list(columns)[:MOST_LISTED]) + (", ..." if len(columns) > MOST_LISTED else "")
            raise refused(found, f"{name} has no column `{wanted}`; there are {shown}", *path, key=False)
        return columns[wanted]

    outcome = _outcomes(column(data.outcome, "data", "outcome"), written, found, name=name)
    time = None if data.time is None else _times(column(data.time, "data", "time"), name=name)
    group, keys = np.arange(len(outcome)), ()
    if data.group is not None:
        names = [text_of(v) for v in column(data.group, "data", "group")]
        distinct, inverse = np.unique(np.array(names, dtype=object), return_inverse=True)
        group, keys = inverse.astype(np.int64), tuple(distinct)
    for k, wanted in enumerate(data.features or ()):
        column(wanted, "data", "features", k)
    for wanted in written.slices:
        column(wanted, "slices", wanted)
    for feature, known in data.known_at.items():
        column(feature, "data", "known_at", feature)
        column(known, "data", "known_at", feature)
    other = {data.outcome, data.time, data.group, *data.known_at.values()}
    features = data.features or tuple(each for each in columns if each not in other)
    if not features:
        raise refused(found, f"no column of {name} is left to be a feature", "data", key)
    identity = tuple(dict.fromkeys([*features, data.outcome, *(each for each in (data.time, data.group) if each)]))
    return Part(
        columns=columns, features=features, outcome=outcome, time=time, group=group, keys=keys, identity=identity
    )


def _outcomes(column: Sequence[Value], written: Evaluation, found: Tree, *, name: str) -> Truth:
    data = written.data
    missing = next((k for k, v in enumerate(column) if v is None), None)
    if missing is not None:
        raise RowsInvalid(
            f"{name}: row {missing + 1} has no outcome in `{written.data.outcome}`; a row without truth measures nothing."
        )
    match data.kind:
        case "binary":
            return _positives(column, written, found, name=name)
        case "multiclass":
            return _classes(column, written, found, name=name)
        case "regression":
            return _amounts(column, data.outcome, name=name)
        case _:
            assert_never(data.kind)


def _positives(column: Sequence[Value], written: Evaluation, found: Tree, *, name: str) -> Bools:
    distinct = {text_of(v) for v in column}
    if len(distinct) > 2:
        raise refused(
            found,
            f"`{written.data.outcome}` has {len(distinct):,} values in {name}; an outcome is one of two. "
            "For one of several say `kind: multiclass` and `classes`, for a number `kind: regression`",
            "data",
            "outcome",
            key=False,
        )
    wanted = text_of(written.data.positive)
    return np.array([text_of(v) == wanted for v in column])


def _classes(column: Sequence[Value], written: Evaluation, found: Tree, *, name: str) -> Ints:
    data = written.data
    if data.classes is None:
        sentence = (
            f"say the `classes` in the order of the answer's probabilities; `{data.outcome}` holds {_distinct(column)}"
        )
        raise refused(found, sentence, "data", "kind")
    places = {text_of(each): k for k, each in enumerate(data.classes)}
    texts = [text_of(v) for v in column]
    unknown = next((k for k, text in enumerate(texts) if text not in places), None)
    if unknown is not None:
        sentence = f"row {unknown + 1} of {name} has the outcome {column[unknown]!r}, which is none of the classes"
        raise refused(found, sentence, "data", "classes", key=False)
    return np.array([places[text] for text in texts], dtype=np.int64)


def _amounts(column: Sequence[Value], outcome: str, *, name: str) -> Floats:
    def is_amount(value: Value) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

    wrong = next((k for k, v in enumerate(column) if not is_amount(v)), None)
    if wrong is not None:
        raise RowsInvalid(f"{name}: row {wrong + 1} has {column[wrong]!r} in `{outcome}`; expected a finite number.")
    return np.array(column, dtype=np.float64)


def matches(column: Sequence[Value], wanted: object) -> Bools:
    """Tell the rows whose value is the wanted one, however it is spelt."""
    text = text_of(wanted)  # type: ignore[arg-type]  # a scalar of the document
    return np.array([text_of(v) == text for v in column])


def _times(column: Sequence[Value], *, name: str) -> Floats:
    return np.array([moment(v, where=f"{name}: row {k + 1}") for k, v in enumerate(column)])


def moment(value: object, *, where: str) -> float:
    """Read a moment as seconds since 1970; without an offset it is taken as UTC. Raises RowsInvalid."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        raise RowsInvalid(f"{where}: {value!r} is no moment; expected ISO 8601 or seconds since 1970.") from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _split(whole: Part, written: Evaluation, found: Tree) -> tuple[Ints, Ints]:
    split = written.split
    assert split is not None  # noqa: S101 - checked when it was read
    if split.after is not None:
        assert whole.time is not None  # noqa: S101 - as above
        try:
            cut = moment(split.after, where="split.after")
        except RowsInvalid as error:
            raise refused(found, error.sentence.rstrip("."), "split", "after", key=False) from None
        held, kept = whole.time >= cut, whole.time < cut - split.gap / 1000
    else:
        assert split.share is not None  # noqa: S101 - as above
        keys: Sequence[bytes] = [key.encode() for key in whole.keys] if whole.keys else whole.digests
        chosen = np.array([_drawn(key, salt=written.holdout) < split.share for key in keys])
        held = chosen[whole.group] if whole.keys else chosen
        kept = ~held
    if not held.any() or not kept.any():
        side = "held out" if not held.any() else "left to learn from"
        raise refused(found, f"this split leaves no row {side}", "split")
    return np.flatnonzero(held), np.flatnonzero(kept)


def _drawn(key: bytes, *, salt: str) -> float:
    """Return a number in [0, 1) that depends on nothing but the key: who comes later changes nobody's side."""
    digest = hashlib.blake2b(key, digest_size=8, salt=hashlib.blake2b(salt.encode(), digest_size=16).digest()).digest()
    return int.from_bytes(digest, "big") / 2**64
