"""Makes a version again where nothing of this machine's own can slip in: a commit, a locked environment, data by digest, a seed.

The command sees an empty environment, a home of its own, and no network where Linux lets us take it away. Packages come from the
index that pip is configured for, each held against its hash.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import UnsetType

from glideslope.domain.errors import Invalid, NotFound, Refused
from glideslope.domain.governing.facts import Facts
from glideslope.domain.governing.rebuild import Recipe, Remade, compared, contradictions
from glideslope.domain.identity import file_digest, root_digest
from glideslope.domain.ids import Digest
from glideslope.sdk.digest import folder_digest, read_pieces, walk_folder

_PASSED_TO_PIP: Final = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "PIP_CONFIG_FILE", "PIP_TRUSTED_HOST", "SSL_CERT_FILE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "XDG_CONFIG_HOME"),
)
"""Only the installation of packages sees these; the command does not."""
_ALONE: Final = ("unshare", "--map-root-user", "--net")
_SHOWN: Final = 2_000


class RebuildFailed(Refused):
    """A step of the recipe did not work."""

    code = "rebuild-failed"

    def __init__(self, step: str, why: str) -> None:
        super().__init__(f"The version was not made again: {step}. {why}".strip(), next_command="")


class RecipeContradicts(Refused):
    """The recipe is not how the version was made."""

    code = "recipe-contradicts"

    def __init__(self, what: Sequence[str]) -> None:
        super().__init__(
            f"The recipe is not what was recorded: {'; '.join(what)}.", next_command="glideslope facts show"
        )
        self.what = tuple(what)


def rebuild(
    recipe: Recipe,
    *,
    beside: Path,
    expected: Digest,
    facts: Facts | None,
    original: Path | None,
    keep: Path | None,
    say: Callable[[str], None],
) -> Remade:
    """Follow a recipe whose paths are relative to `beside`, and hold what comes out against the registered digest.

    `original` are the registered files, to say which ones differ. Raises RecipeContradicts, RebuildFailed, NotFound, Invalid.
    """
    began = time.monotonic()
    if facts is not None and (wrong := contradictions(recipe, facts)):
        raise RecipeContradicts(wrong)
    if keep is not None and keep.exists():
        raise Invalid(f"{str(keep)!r} exists already; what is made goes into a new folder.")
    with tempfile.TemporaryDirectory(prefix="glideslope-rebuild-") as folder:
        work = Path(folder)
        for name in ("home", "output", "data"):
            (work / name).mkdir()
        say(f"code {recipe.code.revision[:12]}")
        _check_out(recipe, work, beside=beside)
        lock = work / "code" / recipe.lock
        if not lock.is_file():
            raise NotFound(what=f"lock in commit {recipe.code.revision[:12]}", name=recipe.lock, next_command="")
        if facts is not None and (wrong := contradictions(recipe, facts, lock=_file(lock))):
            raise RecipeContradicts(wrong)
        say(f"data: {len(recipe.data)} inputs")
        _bring(recipe, work, beside=beside)
        say("environment")
        _install(work, lock)
        offline = _can_be_alone()
        say("command" + ("" if offline else " (with a network: this machine does not let us take it away)"))
        _run(recipe, work, offline=offline)
        found = {name: _hex(path) for name, path in walk_folder(work / "output")}
        if not found:
            raise RebuildFailed("the command", "It wrote nothing into {output}.")
        digest = root_digest({name: bytes.fromhex(each) for name, each in found.items()})
        before = None if original is None else {name: _hex(path) for name, path in walk_folder(original)}
        changed, missing, surplus = compared(found, before)
        if keep is not None:
            shutil.copytree(work / "output", keep)
    return Remade(
        digest=digest,
        expected=expected,
        same=digest == expected,
        changed=changed,
        missing=missing,
        surplus=surplus,
        compared=before is not None,
        offline=offline,
        seconds=time.monotonic() - began,
    )


def _check_out(recipe: Recipe, work: Path, *, beside: Path) -> None:
    repository = recipe.code.repository
    local = beside / repository
    source = str(local.resolve()) if local.exists() else repository
    # No hooks, filters or settings of this machine's or the repository's: the commit's files as they are.
    git = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "protocol.ext.allow=never"]
    environment = {
        **_bare(work),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
    }
    # A repository of another user of this machine is read, not trusted: its settings are its own.
    trusted = ["-c", f"safe.directory={source}", "-c", f"safe.directory={source}/.git"]
    code = work / "code"
    _step(
        [*git, *trusted, "clone", "--quiet", "--no-checkout", "--", source, str(code)], work, environment, "git clone"
    )
    revision = recipe.code.revision
    _step([*git, "-C", str(code), "checkout", "--quiet", "--detach", revision], work, environment, "git checkout")
    shutil.rmtree(code / ".git")


def _bring(recipe: Recipe, work: Path, *, beside: Path) -> None:
    for each in recipe.data:
        source, target = beside / each.path, work / "data" / each.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
            found = folder_digest(target)
        elif source.is_file():
            shutil.copyfile(source, target)
            found = _file(target)
        else:
            raise NotFound(what="data", name=each.path, next_command="")
        # Of the copy: what the command reads is what was hashed.
        if found != each.digest:
            raise RebuildFailed(f"the data {each.name}", f"It is {found}, not {each.digest}.")


def _install(work: Path, lock: Path) -> None:
    environment = _bare(work) | {name: os.environ[name] for name in _PASSED_TO_PIP if name in os.environ}
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    _step([sys.executable, "-I", "-m", "venv", str(work / "env")], work, environment, "python -m venv")
    pip = [str(work / "env" / "bin" / "python"), "-I", "-m", "pip", "install", "--quiet", "--no-input"]
    # All that is needed stands in the lock, with its hash; wheels alone, since building one would run code that no hash pins.
    only = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "-r", str(lock)]
    _step([*pip, *only], work, environment, "pip install")


def _run(recipe: Recipe, work: Path, *, offline: bool) -> None:
    configuration = work / "configuration.json"
    settings = {} if isinstance(recipe.configuration, UnsetType) else recipe.configuration
    configuration.write_text(json.dumps(settings, sort_keys=True), encoding="utf-8")
    seed = "0" if isinstance(recipe.seed, UnsetType) else str(recipe.seed)
    places: Mapping[str, str] = {
        "output": str(work / "output"),
        "data": str(work / "data"),
        "configuration": str(configuration),
        "seed": seed,
    }
    words = [_filled(word, places) for word in recipe.command]
    _step([*(_ALONE if offline else ()), *words], work, _bare(work), "the command", at=work / "code")


def _filled(word: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def _bare(work: Path) -> dict[str, str]:
    """Return all that a step may know of where it runs."""
    return {
        "PATH": f"{work / 'env' / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(work / "home"),
        "TMPDIR": str(work / "home"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SOURCE_DATE_EPOCH": "0",
    }


def _can_be_alone() -> bool:
    try:
        return (
            subprocess.run([*_ALONE, "true"], capture_output=True, check=False, env={"PATH": os.defpath}).returncode
            == 0
        )
    except OSError:
        return False


def _step(
    words: Sequence[str], work: Path, environment: Mapping[str, str], what: str, *, at: Path | None = None
) -> None:
    try:
        done = subprocess.run(
            words, cwd=at or work, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except OSError as error:
        raise RebuildFailed(what, f"{words[0]}: {error.strerror}.") from None
    if done.returncode:
        said = (
            done.stderr.decode(errors="replace").strip()[-_SHOWN:]
            or done.stdout.decode(errors="replace").strip()[-_SHOWN:]
        )
        raise RebuildFailed(f"{what} ended with {done.returncode}", said)


def _file(path: Path) -> Digest:
    return Digest(f"sha256:{_hex(path)}")


def _hex(path: Path) -> str:
    return file_digest(read_pieces(path)).hex()
