"""Witnesses of the ledger: what they sign is checked, kept, served with the checkpoint, and stands in packs made of it."""

import zipfile
from io import BytesIO

import pytest

from glideslope.domain.errors import CosignatureRefused, Invalid, NotFound
from glideslope.domain.ids import RolloutId
from glideslope.ledger import checkpoint, cosignature, merkle, note
from glideslope.ledger.cosignature import Witness
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import World, draft

FIRST, SECOND, STRANGER = (note.Signer(f"witness.example/{n}", bytes([n]) * 32) for n in (1, 2, 3))
TIME = 1_790_000_000


def key(signer: note.Signer) -> Witness:
    return Witness(signer.name, signer.verifier.public_key)


def line(signer: note.Signer, signed: str, *, time: int = TIME) -> str:
    return cosignature.line(signer, note.parse(signed.encode()).text, time=time).decode()


async def given() -> tuple[World, RolloutId]:
    world = World(seed=4)
    world.witnesses = (key(FIRST), key(SECOND))
    await world.serves("delays", v1=SOUND, v2=SOUND)
    rollout = await world.propose(draft("delays", "v2", approvals=1))
    await world.run(1)
    return world, rollout


async def test_what_a_witness_signed_is_served_with_its_checkpoint_and_stands_in_its_packs() -> None:
    world, rollout = await given()
    app = world.app
    view = await app.checkpoint()
    assert (view.cosigned, view.witnesses) == ((), 2)

    first = await app.cosign(size=view.size, lines=line(FIRST, view.note))
    again = await app.cosign(size=view.size, lines=line(FIRST, view.note, time=TIME + 9))
    assert again == first, "a witness counts once"
    assert first.note == view.note + line(FIRST, view.note)
    assert [each.witness for each in first.cosigned] == [key(FIRST).vkey]
    assert first.cosigned[0].at == "2026-09-21T14:13:20.000Z"

    both = await app.cosign(size=view.size, lines=line(SECOND, view.note) + line(FIRST, view.note))
    assert len(both.cosigned) == 2
    with zipfile.ZipFile(BytesIO(await app.pack(rollout, size=view.size))) as pack:
        assert pack.read("checkpoint.note").decode() == both.note
        proof = next(name for name in pack.namelist() if name.startswith("proofs/"))
        assert pack.read(proof).decode().endswith(both.note)
    assert await app.notary.sign() is None, "the same size is not signed anew"


async def test_the_newest_that_so_many_have_seen_is_found_though_the_ledger_has_grown() -> None:
    world, _ = await given()
    app = world.app
    old = await app.checkpoint()
    await app.cosign(size=old.size, lines=line(FIRST, old.note) + line(SECOND, old.note))
    await world.serves("other", v1=SOUND)
    new = await app.checkpoint()
    assert new.size > old.size
    await app.cosign(size=new.size, lines=line(FIRST, new.note))

    assert (await app.checkpoint(cosigned=1)).size == new.size
    assert (await app.checkpoint(cosigned=2)).size == old.size
    world.witnesses = (key(FIRST),)
    assert (await app.checkpoint(size=old.size)).cosigned[0].witness == key(FIRST).vkey
    with pytest.raises(NotFound, match="2 cosignatures"):
        await app.checkpoint(cosigned=2)
    with pytest.raises(NotFound):
        await app.checkpoint(size=new.size + 1)


async def test_a_witness_is_asked_in_its_own_words_with_a_proof_that_it_can_check() -> None:
    """The body of C2SP tlog-witness `add-checkpoint`: what it saw last, the proof, an empty line, the checkpoint."""
    world, _ = await given()
    old = await world.app.checkpoint()
    await world.serves("other", v1=SOUND)
    new = await world.app.checkpoint()

    head, _, signed = (await world.app.witness_request(older=old.size)).partition("\n\n")
    said, *hashes = head.split("\n")
    found = checkpoint.verify(signed.encode(), verifiers=[world.signer.verifier])

    assert (said, signed) == (f"old {old.size}", new.note)
    assert merkle.verify_consistency(
        older=old.size,
        older_root=note.decode_base64(old.root),
        size=found.size,
        root=found.root,
        proof=[note.decode_base64(each) for each in hashes],
    )
    assert (await world.app.witness_request(older=0)) == f"old 0\n\n{new.note}"
    with pytest.raises(Invalid):
        await world.app.witness_request(older=new.size + 1)


async def test_nothing_but_what_a_known_witness_says_of_this_checkpoint_is_taken_in() -> None:
    world, _ = await given()
    app = world.app
    view = await app.checkpoint()
    other = view.note.replace(f"\n{view.size}\n", f"\n{view.size + 1}\n")
    good, damaged = line(FIRST, view.note), line(SECOND, view.note)[:-6] + "AAA=\n"
    own = view.note.rpartition("\n\n")[2]
    for lines in ("", line(FIRST, other), good + line(STRANGER, view.note), good + damaged, good + "x\n", good + own):
        with pytest.raises(CosignatureRefused):
            await app.cosign(size=view.size, lines=lines)
    with pytest.raises(NotFound):
        await app.cosign(size=view.size + 5, lines=good)

    assert (await app.checkpoint()) == view, "of lines among which one is wrong none is taken in"
