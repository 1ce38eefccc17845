"""Proofs of large and odd trees hold, and prove nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from glideslope.ledger import merkle

LARGEST = 3000
LEAVES = [merkle.leaf_hash(n.to_bytes(4, "big")) for n in range(LARGEST)]
TREE = merkle.Tree(LEAVES)
SIZES = st.integers(1, LARGEST)


@given(SIZES, st.data())
def test_every_entry_is_provably_in_every_later_tree(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, root = TREE.inclusion_proof(index, size=size), TREE.root(size=size)

    assert merkle.verify_inclusion(LEAVES[index], index=index, size=size, proof=proof, root=root)
    other = data.draw(st.integers(0, LARGEST - 1).filter(lambda n: n != index))
    assert not merkle.verify_inclusion(LEAVES[other], index=index, size=size, proof=proof, root=root)
    assert not merkle.verify_inclusion(LEAVES[index], index=other, size=size, proof=proof, root=root)


@given(SIZES, st.data())
def test_every_tree_is_provably_a_prefix_of_every_later_one(size: int, data: st.DataObject) -> None:
    older = data.draw(st.integers(0, size))
    proof, root = TREE.consistency_proof(older, size=size), TREE.root(size=size)
    old_root = TREE.root(size=older)

    assert merkle.verify_consistency(older=older, older_root=old_root, size=size, root=root, proof=proof)
    if older not in (0, size):
        rewritten = merkle.Tree(LEAVES[:older])
        changed = merkle.Tree([*LEAVES[: older - 1], merkle.leaf_hash(b"changed")])
        assert rewritten.root() == old_root
        assert not merkle.verify_consistency(older=older, older_root=changed.root(), size=size, root=root, proof=proof)


@given(st.lists(st.binary(max_size=8), max_size=80))
def test_a_frontier_and_a_tree_have_the_same_root(data: list[bytes]) -> None:
    tree, frontier = merkle.Tree(), merkle.Frontier()
    for each in data:
        tree.append(merkle.leaf_hash(each))
        frontier.append(merkle.leaf_hash(each))

    assert tree.root() == frontier.root()
