"""A version made again: the same bytes are recognised, a difference is named, and nothing of this machine slips in."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Final

import msgspec
import pytest

from glideslope.domain.errors import Invalid
from glideslope.domain.governing.facts import Code, Dataset, Facts, Use
from glideslope.domain.governing.rebuild import Recipe, Remade
from glideslope.domain.ids import Digest, ModelName, VersionName
from glideslope.interfaces.document import recipe as recipes
from glideslope.interfaces.document.recipe import RecipeRefused
from glideslope.sdk.digest import folder_digest
from glideslope.wiring.rebuilding import RebuildFailed, RecipeContradicts, rebuild

TRAIN: Final = """
import hashlib, json, os, random, sys
output, data, configuration, seed = sys.argv[1:]
random.seed(int(seed))
with open(configuration) as file:
    settings = json.load(file)
rows = open(data + "/rows.csv").read()
weights = [random.random() * settings["rate"] for _ in rows.splitlines()]
with open(output + "/model.json", "w") as file:
    json.dump({"weights": weights, "words": sorted({"a", "b", "c"}), "seen": sorted(os.environ)}, file)
with open(output + "/order.txt", "w") as file:
    file.write(repr({"x", "y", "z"}))
"""


def git(folder: Path, *words: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main")
    return subprocess.run(
        ["git", *who, *words], cwd=folder, env=environment, check=True, capture_output=True
    ).stdout.decode()


def repository(folder: Path, *, train: str = TRAIN, lock: str = "# nothing\n") -> str:
    """Make a repository of one commit and return it; its hook would leave a trace."""
    folder.mkdir()
    (folder / "train.py").write_text(train)
    (folder / "requirements.txt").write_text(lock)
    git(folder, "init", "--quiet")
    git(folder, "add", "train.py", "requirements.txt")
    git(folder, "commit", "--quiet", "-m", "train")
    (folder / "train.py").write_text("raise SystemExit('this was never committed')")
    return git(folder, "rev-parse", "HEAD").strip()


def recipe_text(revision: str, digest: str, *, seed: int = 7) -> str:
    return f"""rebuild: 1
code: {{repository: repository, revision: "{revision}"}}
lock: requirements.txt
data:
  - {{name: rows.csv, path: rows.csv, digest: "{digest}"}}
configuration: {{rate: 0.5}}
seed: {seed}
command: [python, train.py, "{{output}}", "{{data}}", "{{configuration}}", "{{seed}}"]
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    revision = repository(tmp_path / "repository")
    (tmp_path / "rows.csv").write_text("1\n2\n3\n")
    digest = "sha256:" + __import__("hashlib").sha256(b"1\n2\n3\n").hexdigest()
    return recipes.read(recipe_text(revision, digest), file="recipe.yaml")


def remade(recipe: Recipe, folder: Path, **more: object) -> Remade:
    given: dict[str, object] = {"expected": Digest("sha256:" + "0" * 64), "facts": None, "original": None, "keep": None}
    return rebuild(recipe, beside=folder, say=lambda _: None, **{**given, **more})  # type: ignore[arg-type]  # as above


def test_made_twice_it_is_the_same_and_sees_nothing_of_this_machine(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of this machine")
    monkeypatch.setenv("PYTHONHASHSEED", "77")
    first = remade(recipe, tmp_path, keep=tmp_path / "made")
    digest = folder_digest(tmp_path / "made")
    harmed = tmp_path / "made" / "model.json"
    seen = json.loads(harmed.read_text())["seen"]
    harmed.write_text("{}")
    (tmp_path / "made" / "more").write_text("")
    (tmp_path / "made" / "order.txt").rename(tmp_path / "made" / "gone.txt")

    again = remade(recipe, tmp_path, expected=digest, original=tmp_path / "made")

    assert (first.digest, first.same, first.compared) == (digest, False, False)
    assert (again.digest, again.same) == (digest, True)
    assert (again.changed, again.missing, again.surplus) == (("model.json",), ("gone.txt", "more"), ("order.txt",))
    assert "SECRET" not in seen
    assert "PYTHONHASHSEED" in seen


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"code": Code(revision="ab" * 20)}, "the facts say revision"),
        ({"seed": 8}, "the facts say seed 8, the recipe 7"),
        ({"configuration": {"rate": 0.6}}, "another configuration"),
        (
            {"datasets": (Dataset(name="other", use=Use.TRAINING, digest=Digest("sha256:" + "1" * 64)),)},
            "learned from other",
        ),
    ],
)
def test_a_recipe_that_is_not_what_was_recorded_is_refused(
    recipe: Recipe, tmp_path: Path, facts: dict[str, object], says: str
) -> None:
    stated = Facts(model=ModelName("m"), version=VersionName("v"), **facts)  # type: ignore[arg-type]  # one field of the table

    with pytest.raises(RecipeContradicts, match=says):
        remade(recipe, tmp_path, facts=stated)


def test_other_data_and_an_unknown_commit_are_refused_before_anything_is_installed(
    recipe: Recipe, tmp_path: Path
) -> None:
    unknown = msgspec.structs.replace(recipe, code=msgspec.structs.replace(recipe.code, revision="ab" * 20))
    with pytest.raises(RebuildFailed, match="git checkout"):
        remade(unknown, tmp_path)

    (tmp_path / "rows.csv").write_text("1\n2\n")
    with pytest.raises(RebuildFailed, match=r"the data rows\.csv"):
        remade(recipe, tmp_path)
    (tmp_path / "there").mkdir()
    with pytest.raises(Invalid, match="exists already"):
        remade(recipe, tmp_path, keep=tmp_path / "there")


def test_a_package_without_its_hash_is_not_installed(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    revision = repository(tmp_path / "other" / "repository", lock="msgspec==0.19.0\n")
    (tmp_path / "other" / "rows.csv").write_text("1\n2\n3\n")
    loose = msgspec.structs.replace(recipe, code=msgspec.structs.replace(recipe.code, revision=revision))

    with pytest.raises(RebuildFailed, match="pip install"):
        remade(loose, tmp_path / "other")


@pytest.mark.parametrize(
    ("old", "new", "says", "line"),
    [
        ("rebuild: 1", "rebuild: 2", "recipes of format 1", 1),
        ("lock: requirements.txt", "lock: ../x", "the lock lies in the repository", 3),
        ("{output}", "{ouput}", "{ouput} is none of", 8),
        ("seed: 7", "seed: seven", "expected `int`, got `str`", 7),
        ("name: rows.csv", "name: /etc/x", "a name is a path of its own", 5),
        ('digest: "sha256:', 'digest: "sha1:', "a digest is", 5),
    ],
)
def test_a_mistake_in_a_recipe_is_pointed_at(old: str, new: str, says: str, line: int) -> None:
    text = recipe_text("ab" * 20, "sha256:" + "1" * 64)
    assert old in text

    with pytest.raises(RecipeRefused, match=re.escape(says)) as refusal:
        recipes.read(text.replace(old, new, 1), file="recipe.yaml")

    assert refusal.value.line == line


LEARN: Final = """
import csv, json, pickle, sys
import joblib, numpy
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits
output, data, configuration, seed = sys.argv[1:]
with open(configuration) as file:
    settings = json.load(file)
rows = numpy.loadtxt(data + "/flights.csv", delimiter=",")
with threadpool_limits(limits=1):
    model = HistGradientBoostingClassifier(early_stopping=False, random_state=int(seed), **settings)
    model.fit(rows[:, :-1], rows[:, -1])
joblib.dump(pickle.loads(pickle.dumps(model)), output + "/model.joblib")
"""
LOCKED: Final = ("scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl", "narwhals", "cloudpickle", "loky")


@pytest.mark.slow
def test_a_real_model_of_the_demo_is_made_again_in_a_fresh_locked_environment(tmp_path: Path) -> None:
    """The demo's learner and settings on a month of its flights: twice from the index, and both times the same bytes."""
    import numpy as np

    from glideslope.demo.flights import load_flights
    from glideslope.demo.training import ITERATIONS, LEAVES, SEED

    pinned = (Path(__file__).parents[3] / "requirements" / "demo.txt").read_text()
    blocks = re.split(r"^(?=\S)", pinned, flags=re.MULTILINE)
    lock = "".join(block for block in blocks if block.split("==")[0] in LOCKED)
    revision = repository(tmp_path / "repository", train=LEARN, lock=lock)
    flights = load_flights()
    rows = flights.months(1, 1)
    np.savetxt(tmp_path / "flights.csv", np.column_stack([flights.features[rows], flights.late[rows]]), delimiter=",")
    (tmp_path / "data").mkdir()
    (tmp_path / "flights.csv").rename(tmp_path / "data" / "flights.csv")
    text = f"""rebuild: 1
code: {{repository: repository, revision: "{revision}"}}
lock: requirements.txt
data: [{{name: january, path: data, digest: "{folder_digest(tmp_path / "data")}"}}]
configuration: {{max_iter: {ITERATIONS}, max_leaf_nodes: {LEAVES}}}
seed: {SEED}
command: [python, train.py, "{{output}}", "{{data}}/january", "{{configuration}}", "{{seed}}"]
"""
    recipe = recipes.read(text, file="recipe.yaml")
    first = remade(recipe, tmp_path, keep=tmp_path / "made")

    again = remade(recipe, tmp_path, expected=first.digest, original=tmp_path / "made")
    other = remade(
        msgspec.structs.replace(recipe, configuration={"max_iter": 3, "max_leaf_nodes": LEAVES}),
        tmp_path,
        expected=first.digest,
        original=tmp_path / "made",
    )

    assert again.same
    assert (other.same, other.changed) == (False, ("model.joblib",))
