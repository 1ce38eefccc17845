"""The tree is that of RFC 6962: its published vectors hold, and its proofs for every size under 40."""

from hashlib import sha256
from itertools import pairwise

import pytest

from glideslope.ledger import merkle

# The test data of the Certificate Transparency reference implementation.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
NODE_01 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
NODE_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
NODE_4_TO_7 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
NODE_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
NODE_45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
NODE_67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"

TREE = merkle.Tree(map(merkle.leaf_hash, LEAVES))


def textbook_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word by word."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = max(1 << k for k in range(len(leaves).bit_length()) if 1 << k < len(leaves))
    return sha256(b"\x01" + textbook_root(leaves[:split]) + textbook_root(leaves[split:])).digest()


@pytest.mark.parametrize(("size", "root"), list(enumerate(ROOTS)))
def test_published_roots(size: int, root: str) -> None:
    frontier = merkle.Frontier()
    for data in LEAVES[:size]:
        frontier.append(merkle.leaf_hash(data))

    assert TREE.root(size=size).hex() == root
    assert frontier.root().hex() == root
    assert frontier.size == size


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (b"L123456", "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"),
    ],
)
def test_published_leaf_hashes(data: bytes, expected: str) -> None:
    assert merkle.leaf_hash(data).hex() == expected


def test_published_node_hash() -> None:
    expected = "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"

    assert merkle.node_hash(b"N123", b"N456").hex() == expected


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (0, 1, []),
        (0, 8, [NODE_1, NODE_01, NODE_4_TO_7]),
        (5, 8, [NODE_4, NODE_67, ROOTS[4]]),
        (2, 3, [ROOTS[2]]),
        (1, 5, [ROOTS[1], NODE_01, NODE_4]),
    ],
)
def test_published_inclusion_proofs(index: int, size: int, proof: list[str]) -> None:
    assert [step.hex() for step in TREE.inclusion_proof(index, size=size)] == proof


@pytest.mark.parametrize(
    ("older", "size", "proof"),
    [
        (1, 1, []),
        (1, 8, [NODE_1, NODE_01, NODE_4_TO_7]),
        (6, 8, [NODE_45, NODE_67, ROOTS[4]]),
        (2, 5, [NODE_01, NODE_4]),
    ],
)
def test_published_consistency_proofs(older: int, size: int, proof: list[str]) -> None:
    assert [step.hex() for step in TREE.consistency_proof(older, size=size)] == proof


SIZES = range(40)
HASHES = [merkle.leaf_hash(bytes([n])) for n in SIZES]
FORTY = merkle.Tree(HASHES)


@pytest.mark.parametrize("size", SIZES)
def test_every_root_under_forty_is_the_textbooks(size: int) -> None:
    frontier = merkle.Frontier()
    for leaf in HASHES[:size]:
        frontier.append(leaf)

    assert FORTY.root(size=size) == textbook_root(HASHES[:size])
    assert frontier.root() == FORTY.root(size=size)
    assert frontier.copy().root() == frontier.root()


@pytest.mark.parametrize("size", SIZES)
def test_every_leaf_is_proven_at_its_place_and_nowhere_else(size: int) -> None:
    root = FORTY.root(size=size)
    for index in range(size):
        proof = FORTY.inclusion_proof(index, size=size)
        for place in range(-1, size + 1):
            proven = merkle.verify_inclusion(HASHES[index], index=place, size=size, proof=proof, root=root)
            assert proven == (place == index)


@pytest.mark.parametrize("size", SIZES)
def test_no_changed_inclusion_proof_is_accepted(size: int) -> None:
    root = FORTY.root(size=size)
    for index in range(size):
        proof = FORTY.inclusion_proof(index, size=size)
        other = merkle.leaf_hash(b"other")
        changed = [(*proof, other), (other, *proof), (*proof, b"short")]
        changed += [(*proof[:i], other, *proof[i + 1 :]) for i in range(len(proof))]
        changed += [(*proof[:i], *proof[i + 1 :]) for i in range(len(proof))]
        for steps in changed:
            assert not merkle.verify_inclusion(HASHES[index], index=index, size=size, proof=steps, root=root)
        assert not merkle.verify_inclusion(other, index=index, size=size, proof=proof, root=root)
        assert not merkle.verify_inclusion(HASHES[index], index=index, size=size, proof=proof, root=other)


@pytest.mark.parametrize("size", SIZES)
def test_every_older_tree_is_proven_a_prefix_and_no_other_root_is(size: int) -> None:
    root = FORTY.root(size=size)
    other = merkle.leaf_hash(b"other")
    for older in range(size + 1):
        older_root = FORTY.root(size=older)
        proof = FORTY.consistency_proof(older, size=size)

        def holds(
            steps: tuple[bytes, ...],
            *,
            old: bytes = older_root,
            new: bytes = root,
            at: int = older,
        ) -> bool:
            return merkle.verify_consistency(older=at, older_root=old, size=size, root=new, proof=steps)

        assert holds(proof)
        assert not holds(proof, old=other)
        assert not holds((*proof, other))
        assert older in (0, size) or not holds(proof, new=other)
        assert older in (0, size) or not holds(proof, at=older - 1, old=older_root)
        for i in range(len(proof)):
            assert not holds((*proof[:i], other, *proof[i + 1 :]))
            assert not holds((*proof[:i], *proof[i + 1 :]))


def test_a_proof_for_a_size_the_tree_never_had_is_refused() -> None:
    with pytest.raises(ValueError, match="8 leaves"):
        TREE.root(size=9)
    with pytest.raises(ValueError, match="no leaf 8"):
        TREE.inclusion_proof(8)
    with pytest.raises(ValueError, match="no leaf -1"):
        TREE.inclusion_proof(-1)
    with pytest.raises(ValueError, match="never had"):
        TREE.consistency_proof(6, size=5)
    with pytest.raises(IndexError):
        TREE.leaf(8)


def test_a_leaf_that_is_no_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        merkle.Tree([b"short"])


def test_nothing_is_consistent_backwards() -> None:
    assert not merkle.verify_consistency(
        older=3, older_root=TREE.root(size=3), size=2, root=TREE.root(size=2), proof=()
    )


def test_leaves_are_kept_in_order() -> None:
    assert [TREE.leaf(i) for i in range(TREE.size)] == list(map(merkle.leaf_hash, LEAVES))


def test_the_sizes_of_proofs_grow_with_the_logarithm() -> None:
    tree = merkle.Tree(merkle.leaf_hash(n.to_bytes(4, "big")) for n in range(5000))

    assert max(len(tree.inclusion_proof(i)) for i in range(5000)) == 13
    assert all(a != b for a, b in pairwise(tree.inclusion_proof(4321)))
