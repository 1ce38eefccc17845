"""A person is erased from everywhere we reach, and the ledger and every pack still verify."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from glideslope.adapters.stores.sqlite.people import SqlitePeople
from glideslope.adapters.stores.sqlite.store import SqliteStore
from glideslope.domain.commands import DescribePerson, ErasePerson
from glideslope.domain.errors import Invalid, KeyReused, NotFound
from glideslope.domain.events import PersonErased
from glideslope.domain.governing.person import STREAM, Person
from glideslope.domain.ids import Actor
from glideslope.engine.packing import Packer
from glideslope.engine.people import People
from glideslope.engine.record import Append, Record
from glideslope.ledger import verify
from glideslope.testing.clock import ManualClock
from glideslope.testing.people import MemoryPeople
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import World, draft

ANA = Actor("a-17")
BEN = Actor("b-4")
WHO = Person(name="Ana Nowhere", email="ana.nowhere@example.org", chat="@ananowhere")


def described(person: Person = WHO) -> DescribePerson:
    return DescribePerson(actor=ANA, person=person, by=BEN)


async def test_the_ledger_holds_a_commitment_that_opens_with_data_and_salt_only() -> None:
    world = World()
    await world.start()
    view = await world.app.describe_person(described(), key="k")

    assert (view.person, view.matches, view.erased) == (WHO, True, False)
    assert all(b"owhere" not in entry for entry in await world.store.entries())
    again = await world.app.describe_person(described(), key="k")
    assert again == view
    with pytest.raises(KeyReused):
        await world.app.describe_person(DescribePerson(actor=ANA, person=WHO, by=ANA), key="k")
    # The same words give another commitment: nobody can tell who was described twice.
    assert (await world.app.describe_person(described(), key="k2")).commitment != view.commitment


async def test_a_person_is_erased_and_everything_still_verifies(root: Path) -> None:
    world = World(seed=7)
    await world.serves("delays", v1=Behaviour(errors=0.01), v2=Behaviour(errors=0.3))
    await world.app.describe_person(described(), key="k")
    rollout = await world.propose(draft("delays", "v2"), by=ANA)
    await world.until(rollout, phase="rolled-back", within=600)
    packer = Packer(
        record=world.app.record,
        store=world.store,
        checkpoints=world.store,
        signer=world.signer,
        notary=world.app.notary,
    )
    before = (await packer.pack(rollout)).data
    bundle_before = [line async for line in world.app.notary.bundle()]

    view = await world.app.erase_person(ErasePerson(actor=ANA, by=BEN, why="asked to"), key="e")

    assert (view.person, view.erased, view.commitment) == (None, True, "")
    after = (await packer.pack(rollout)).data
    bundle_after = [line async for line in world.app.notary.bundle()]
    program = _program(root)
    key = program.read_key(world.signer.verifier.vkey, 1)
    for pack in (before, after):
        assert program.verify(pack, key).findings == []
        assert b"owhere" not in pack
    for lines in (bundle_before, bundle_after):
        assert verify.verify(lines, trusted=[world.signer.verifier]).ok
        assert b"owhere" not in b"".join(lines)


def _program(root: Path) -> Any:
    spec = importlib.util.spec_from_file_location("glideslope_verify", root / "verifier" / "glideslope_verify.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root() -> Path:
    return Path(__file__).parents[2]


async def test_no_file_of_the_state_folder_holds_an_erased_person(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "state.db") as store, SqlitePeople(tmp_path / "people.sqlite") as data:
        record = Record(store=store, clock=ManualClock())
        people = People(record=record, data=data, random=lambda size: b"\7" * size)
        await people.describe(described(), key="1")
        await people.describe(described(Person(name="Ana Nowhere-Else")), key="2")
        assert b"owhere-Else" in everything(tmp_path)
        assert b"owhere@" not in everything(tmp_path)
        await people.erase(ErasePerson(actor=ANA, by=BEN, why="asked to"), key="3")
        assert b"owhere" not in everything(tmp_path)
        assert b"Bwc" not in everything(tmp_path)  # the salt, in base64
    assert b"owhere" not in everything(tmp_path)


def everything(folder: Path) -> bytes:
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def test_an_erasure_that_was_recorded_and_not_done_is_done_at_the_next_start() -> None:
    world = World()
    await world.start()
    await world.app.describe_person(described(), key="k")
    record = world.app.record
    event = PersonErased(actor=ANA, by=BEN, why="asked to")
    await record.append([Append(stream=STREAM, expected=record.version(STREAM), events=[event], key="e")])
    assert await world.people.of(ANA) is not None

    await world.start()

    assert await world.people.of(ANA) is None


async def test_nobody_is_erased_who_was_never_known_and_nothing_empty_is_kept() -> None:
    world = World()
    await world.start()

    with pytest.raises(NotFound):
        await world.app.erase_person(ErasePerson(actor=ANA, by=BEN, why="asked to"), key="e")
    with pytest.raises(Invalid):
        await world.app.describe_person(described(Person()), key="k")
    with pytest.raises(Invalid):
        await world.app.erase_person(ErasePerson(actor=ANA, by=BEN, why=" "), key="e")
    assert await world.app.people() == []


async def test_what_is_kept_is_held_against_what_the_ledger_says() -> None:
    world = World()
    await world.start()
    await world.app.describe_person(described(), key="k")
    kept = await world.people.of(ANA)
    assert kept is not None
    await world.people.put(ANA, kept.replace(b"Ana", b"Eve"))

    view = await world.app.person(ANA)

    assert (view.matches, view.person) == (False, Person(name="Eve Nowhere", email=WHO.email, chat=WHO.chat))
    assert isinstance(world.people, MemoryPeople)
