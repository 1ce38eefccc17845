"""Tokens are known by their hashes, found by nobody else, and never shown by accident."""

import json
import shutil
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from glideslope.adapters.identity.tokens import FileTokens, Secret, _hash
from glideslope.domain.errors import Invalid, NotFound, StoreCorrupt, StoreUnavailable, TokenScopeInvalid
from glideslope.domain.identity import Act, Identity, Role
from glideslope.domain.ids import Actor, ModelName

FRAUD, BIOPSY = ModelName("fraud"), ModelName("biopsy")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
GOLDEN = Path(__file__).parents[2] / "golden" / "tokens"


def chance(first: int) -> bytes:
    return bytes(range(first, first + 32))


@pytest.fixture
def tokens(tmp_path: Path) -> FileTokens:
    return FileTokens(tmp_path)


def test_a_token_is_found_with_its_actor_and_role(tokens: FileTokens) -> None:
    secret = tokens.create(Actor("ada"), role=Role.MEMBER, at=NOON, random_bytes=chance(0))

    assert secret.reveal().startswith("gs_")
    assert tokens.find(secret.reveal()) == Identity(actor=Actor("ada"), role=Role.MEMBER)


@pytest.mark.parametrize("token", ["", "gs_", "gs_" + "A" * 43, "Bearer", "\ud800", "gs_\x00", "ä" * 10_000])
def test_nobody_is_found_by_what_we_did_not_make(tokens: FileTokens, token: str) -> None:
    tokens.create(Actor("ada"), role=Role.ADMIN, at=NOON, random_bytes=chance(0))

    assert tokens.find(token) is None


def test_tokens_outlive_a_restart(tokens: FileTokens, tmp_path: Path) -> None:
    secret = tokens.create(Actor("gw-1"), role=Role.SOURCE, at=NOON, random_bytes=chance(0))

    assert FileTokens(tmp_path).find(secret.reveal()) == Identity(actor=Actor("gw-1"), role=Role.SOURCE)


def test_the_file_holds_hashes_and_only_its_owner_may_read_it(tokens: FileTokens, tmp_path: Path) -> None:
    secret = tokens.create(Actor("ada"), role=Role.ADMIN, at=NOON, random_bytes=chance(0))

    assert secret.reveal() not in (tmp_path / "tokens.json").read_text()
    assert (tmp_path / "tokens.json").stat().st_mode & 0o777 == 0o600


def test_a_secret_is_not_shown_by_accident(tokens: FileTokens) -> None:
    secret = tokens.create(Actor("ada"), role=Role.ADMIN, at=NOON, random_bytes=chance(0))

    for shown in (repr(secret), str(secret), f"{secret}", repr([secret]), repr(tokens), repr(tokens.list())):
        assert secret.reveal() not in shown


def test_the_first_start_leaves_an_admin_token_for_this_machine(tokens: FileTokens, tmp_path: Path) -> None:
    assert tokens.first_start(Actor("admin"), at=NOON, random_bytes=chance(0))

    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    local = (tmp_path / "token").read_text().strip()
    assert tokens.find(local) == Identity(actor=Actor("admin"), role=Role.ADMIN)


def test_the_second_start_makes_nothing(tokens: FileTokens, tmp_path: Path) -> None:
    tokens.first_start(Actor("admin"), at=NOON, random_bytes=chance(0))
    before = (tmp_path / "token").read_text()

    assert not FileTokens(tmp_path).first_start(Actor("admin"), at=NOON, random_bytes=chance(1))
    assert (tmp_path / "token").read_text() == before


def test_a_token_made_before_the_first_start_does_not_lock_its_owner_out(tokens: FileTokens, tmp_path: Path) -> None:
    source = tokens.create(Actor("model-servers"), role=Role.SOURCE, at=NOON, random_bytes=chance(0))

    assert tokens.first_start(Actor("admin"), at=NOON, random_bytes=chance(1))
    local = (tmp_path / "token").read_text().strip()
    assert tokens.find(local) == Identity(actor=Actor("admin"), role=Role.ADMIN)
    assert tokens.find(source.reveal()) == Identity(actor=Actor("model-servers"), role=Role.SOURCE)


def test_a_revoked_token_finds_nobody(tokens: FileTokens) -> None:
    tokens.first_start(Actor("admin"), at=NOON, random_bytes=chance(0))
    secret = tokens.create(Actor("ada"), role=Role.MEMBER, at=NOON, random_bytes=chance(1))

    tokens.revoke(tokens.list()[1].id)

    assert tokens.find(secret.reveal()) is None
    assert [known.actor for known in tokens.list()] == ["admin"]


def test_the_last_admin_cannot_be_locked_out(tokens: FileTokens) -> None:
    tokens.first_start(Actor("admin"), at=NOON, random_bytes=chance(0))
    tokens.create(Actor("ada"), role=Role.MEMBER, at=NOON, random_bytes=chance(1))

    with pytest.raises(Invalid, match="last admin"):
        tokens.revoke(tokens.list()[0].id)


def test_revoking_what_is_not_there_is_said(tokens: FileTokens) -> None:
    with pytest.raises(NotFound):
        tokens.revoke("0123456789ab")


def test_a_change_by_another_process_is_noticed(tokens: FileTokens, tmp_path: Path) -> None:
    assert tokens.list() == ()

    secret = FileTokens(tmp_path).create(Actor("ada"), role=Role.READER, at=NOON, random_bytes=chance(0))

    assert tokens.find(secret.reveal()) == Identity(actor=Actor("ada"), role=Role.READER)


def test_a_file_opened_to_others_is_refused_even_while_running(tokens: FileTokens, tmp_path: Path) -> None:
    secret = tokens.create(Actor("ada"), role=Role.ADMIN, at=NOON, random_bytes=chance(0))
    (tmp_path / "tokens.json").chmod(0o644)

    with pytest.raises(StoreUnavailable):
        tokens.find(secret.reveal())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"version":4,"tokens":[]}',
        '{"version":0,"tokens":[]}',
        '{"version":1,"tokens":[{}]}',
        '{"version":1,"tokens":[],"more":1}',
    ],
)
def test_a_file_that_is_not_understood_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokens.json").touch(mode=0o600)
    (tmp_path / "tokens.json").write_text(content)

    with pytest.raises(StoreCorrupt):
        FileTokens(tmp_path)


@pytest.mark.parametrize("actor", ["", " ada", "ada\n", "a" * 65, "a\x00"])
def test_an_actor_that_cannot_be_named_is_refused(tokens: FileTokens, actor: str) -> None:
    with pytest.raises(Invalid):
        tokens.create(Actor(actor), role=Role.READER, at=NOON, random_bytes=chance(0))


def test_too_little_chance_or_no_zone_is_refused(tokens: FileTokens) -> None:
    with pytest.raises(Invalid):
        tokens.create(Actor("ada"), role=Role.READER, at=NOON, random_bytes=b"short")
    with pytest.raises(Invalid):
        tokens.create(Actor("ada"), role=Role.READER, at=NOON.replace(tzinfo=None), random_bytes=chance(0))


def test_a_source_speaks_for_the_models_of_its_token(tokens: FileTokens, tmp_path: Path) -> None:
    secret = tokens.create(
        Actor("svc"), role=Role.SOURCE, at=NOON, random_bytes=chance(0), models=frozenset({FRAUD, BIOPSY})
    )
    found = FileTokens(tmp_path).find(secret.reveal())

    assert found is not None
    assert (found.speaks_for(FRAUD), found.speaks_for(ModelName("delays"))) == (True, False)
    assert tokens.list()[0].models == ("biopsy", "fraud")


def test_a_token_keeps_its_end(tokens: FileTokens, tmp_path: Path) -> None:
    end = NOON + timedelta(days=90)
    secret = tokens.create(Actor("ci"), role=Role.MEMBER, at=NOON, random_bytes=chance(0), expires_at=end)
    found = FileTokens(tmp_path).find(secret.reveal())

    assert found is not None
    assert (found.expired(now=end - timedelta(seconds=1)), found.expired(now=end)) == (False, True)


@pytest.mark.parametrize(
    ("role", "models", "expires_at"),
    [
        (Role.MEMBER, frozenset({FRAUD}), None),
        (Role.READER, frozenset({FRAUD}), None),
        (Role.SOURCE, frozenset(), None),
        (Role.MEMBER, None, NOON),
    ],
)
def test_rights_that_make_no_sense_are_refused(
    tokens: FileTokens, role: Role, models: frozenset[ModelName] | None, expires_at: datetime | None
) -> None:
    with pytest.raises(TokenScopeInvalid):
        tokens.create(Actor("x"), role=role, at=NOON, random_bytes=chance(0), models=models, expires_at=expires_at)
    assert tokens.list() == ()


def test_a_member_may_be_limited_to_acts_and_then_to_models(tokens: FileTokens, tmp_path: Path) -> None:
    acts = frozenset({Act.PROPOSE, Act.STOP})
    secret = tokens.create(
        Actor("ci"), role=Role.MEMBER, at=NOON, random_bytes=chance(0), models=frozenset({FRAUD}), acts=acts
    )

    found = FileTokens(tmp_path).find(secret.reveal())
    assert found == Identity(Actor("ci"), Role.MEMBER, models=frozenset({FRAUD}), acts=acts)
    assert found.may(Act.STOP)
    assert not found.may(Act.REGISTER)
    assert not found.may(None)
    for role, none in ((Role.READER, acts), (Role.ADMIN, acts), (Role.SOURCE, acts), (Role.MEMBER, frozenset())):
        with pytest.raises(TokenScopeInvalid):
            tokens.create(Actor("x"), role=role, at=NOON, random_bytes=chance(1), acts=none)


def test_when_a_token_was_used_is_written_down_and_forgotten_with_it(tmp_path: Path) -> None:
    times = iter([NOON, NOON + timedelta(minutes=5), NOON + timedelta(minutes=9)])
    tokens = FileTokens(tmp_path, now=lambda: next(times))
    first = tokens.create(Actor("ada"), role=Role.MEMBER, at=NOON, random_bytes=chance(0))
    second = tokens.create(Actor("svc"), role=Role.READER, at=NOON, random_bytes=chance(1))
    tokens.find(first.reveal())
    tokens.find(first.reveal())
    tokens.find("gs_nobody")
    assert FileTokens(tmp_path).uses() == {}
    tokens.write_uses()
    known = {known.actor: known.id for known in tokens.list()}
    assert FileTokens(tmp_path).uses() == {known["ada"]: NOON + timedelta(minutes=5)}

    tokens.find(second.reveal())
    tokens.revoke(known["ada"])
    tokens.write_uses()
    assert FileTokens(tmp_path).uses() == {known["svc"]: NOON + timedelta(minutes=9)}
    assert (tmp_path / "tokens-used.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "tokens-used.json").write_text("no JSON")
    assert tokens.uses() == {}


def test_an_admin_whose_time_ends_locks_nobody_out(tokens: FileTokens) -> None:
    """Neither counts as the last admin who can be kept, nor, once it has ended, as the first who was made."""
    end = NOON + timedelta(days=1)
    tokens.create(Actor("visitor"), role=Role.ADMIN, at=NOON, random_bytes=chance(0), expires_at=end)
    assert tokens.first_start(Actor("admin"), at=end, random_bytes=chance(1))

    with pytest.raises(Invalid, match="last admin"):
        tokens.revoke(tokens.list()[1].id)


def test_a_stored_token_that_names_no_models_keeps_its_rights(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "v1.json", tmp_path / "tokens.json")
    (tmp_path / "tokens.json").chmod(0o600)
    tokens = FileTokens(tmp_path)

    assert [(known.models, known.expires_at) for known in tokens.list()] == [(None, None), (None, None)]
    tokens.create(Actor("svc"), role=Role.SOURCE, at=NOON, random_bytes=chance(3), models=frozenset({FRAUD}))
    assert [known.models for known in FileTokens(tmp_path).list()] == [None, None, ("fraud",)]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("v*.json")), ids=lambda path: path.stem)
def test_every_token_file_ever_released_can_still_be_read(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path / "tokens.json")
    (tmp_path / "tokens.json").chmod(0o600)

    read = FileTokens(tmp_path).list()

    assert [known.sha256 for known in read] == [known["sha256"] for known in json.loads(path.read_text())["tokens"]]


def test_times_keep_their_instant(tokens: FileTokens, tmp_path: Path) -> None:
    at = NOON.astimezone(timezone(timedelta(hours=2)))
    tokens.create(Actor("ada"), role=Role.READER, at=at, random_bytes=chance(0))

    assert FileTokens(tmp_path).list()[0].created_at == NOON


def test_a_secret_equals_itself_only_by_content() -> None:
    assert Secret("gs_a") == Secret("gs_a")
    assert Secret("gs_a") != Secret("gs_b")


@pytest.mark.parametrize("written", ["", "é" * 64, "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\\n"])
def test_a_hash_that_is_none_is_damage_and_not_a_crash_at_the_next_request(tmp_path: Path, written: str) -> None:
    tokens = FileTokens(tmp_path)
    secret = tokens.create(Actor("ada"), role=Role.ADMIN, at=NOON, random_bytes=chance(0))
    path = tmp_path / "tokens.json"
    content = path.read_text()
    path.write_text(content.replace(json.loads(content)["tokens"][0]["sha256"], written))

    with pytest.raises(StoreCorrupt):
        tokens.find(secret.reveal())


def test_whoever_calls_waits_equally_long(tmp_path: Path) -> None:
    """The first of a thousand tokens is found no sooner than the last, and than nobody: time tells nothing."""
    secrets = [Secret(f"gs_{n}") for n in range(1_000)]
    known = [
        {
            "id": str(n),
            "actor": "a",
            "role": "reader",
            "created_at": "2026-01-01T00:00:00Z",
            "sha256": _hash(s.reveal()),
        }
        for n, s in enumerate(secrets)
    ]
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps({"version": 1, "tokens": known}))
    path.chmod(0o600)
    tokens = FileTokens(tmp_path)

    def taken(token: str) -> float:
        rounds = []
        for _ in range(7):
            began = time.process_time()
            tokens.find(token)
            rounds.append(time.process_time() - began)
        return min(rounds)

    times = [taken(token) for token in (secrets[0].reveal(), secrets[-1].reveal(), "gs_nobody", "")]
    assert max(times) < 5 * min(times)
