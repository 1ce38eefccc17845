"""The Merkle tree of RFC 6962 over SHA-256: roots, proofs that an entry is in it, proofs that it only grew."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256().digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash the bytes of one entry (RFC 6962, section 2.1: 0x00 before a leaf)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into one (RFC 6962, section 2.1: 0x01 before a node)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The growing edge of a tree: enough to append and to know the root, in memory that grows with log(size).

    It can make no proofs; `Tree` can.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._peaks: list[bytes] = []  # roots of the perfect subtrees, largest first

    @property
    def size(self) -> int:
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash at the end."""
        self._size = size = self._size + 1
        peaks = self._peaks
        while not size & 1:
            leaf = sha256(b"\x01" + peaks.pop() + leaf).digest()
            size >>= 1
        peaks.append(leaf)

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def copy(self) -> "Frontier":
        twin = Frontier()
        twin._size, twin._peaks = self._size, self._peaks.copy()
        return twin


class Tree:
    """All leaf hashes and the nodes above them, 64 bytes per leaf; appending hashes one node on average."""

    __slots__ = ("_levels",)

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        # Level k holds, one after another, the roots of all complete subtrees of 2**k leaves.
        self._levels: list[bytearray] = [bytearray()]
        for leaf in leaves:
            self.append(leaf)

    @property
    def size(self) -> int:
        return len(self._levels[0]) // HASH_SIZE

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash (32 bytes) at the end.

        Raises ValueError when it is not 32 bytes long.
        """
        if len(leaf) != HASH_SIZE:
            raise ValueError(f"a leaf hash has {HASH_SIZE} bytes, not {len(leaf)}")
        levels = self._levels
        height = 0
        while True:
            level = levels[height]
            level += leaf
            if len(level) & HASH_SIZE:  # an odd number of hashes: the last one has no partner yet
                return
            leaf = sha256(b"\x01" + level[-2 * HASH_SIZE :]).digest()
            height += 1
            if height == len(levels):
                levels.append(bytearray())

    def leaf(self, index: int) -> bytes:
        """Return the leaf hash at the 0-based *index*; raises IndexError outside the tree."""
        if not 0 <= index < self.size:
            raise IndexError(f"no leaf {index} in a tree of {self.size}")
        return self._node(0, index)

    def root(self, *, size: int | None = None) -> bytes:
        """Return the root over the first *size* leaves, by default over all.

        Raises ValueError for a size that the tree never had.
        """
        size = self._known(self.size if size is None else size)
        return self._subtree(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, *, size: int | None = None) -> tuple[bytes, ...]:
        """Prove that leaf *index* (0-based) is in the tree of the first *size* leaves (RFC 6962, section 2.1.1).

        Raises ValueError when there is no such leaf or size.
        """
        size = self._known(self.size if size is None else size)
        if not 0 <= index < size:
            raise ValueError(f"no leaf {index} in a tree of {size}")
        proof: list[bytes] = []
        low, high = 0, size
        while high - low > 1:
            split = low + _split(high - low)
            if index < split:
                proof.append(self._subtree(split, high))
                high = split
            else:
                proof.append(self._subtree(low, split))
                low = split
        return tuple(reversed(proof))

    def consistency_proof(self, older: int, *, size: int | None = None) -> tuple[bytes, ...]:
        """Prove that the tree of the first *older* leaves is a prefix of that of *size* (RFC 6962, section 2.1.2).

        Both the empty and the same tree are prefixes that need no proof: it is empty. Raises ValueError for sizes the
        tree never had or in the wrong order.
        """
        size = self._known(self.size if size is None else size)
        if not 0 <= older <= size:
            raise ValueError(f"a tree of {size} never had the size {older} before")
        if older in (0, size):
            return ()
        proof: list[bytes] = []
        low, high = 0, size
        while older != high:
            split = low + _split(high - low)
            if older <= split:
                proof.append(self._subtree(split, high))
                high = split
            else:
                proof.append(self._subtree(low, split))
                low = split
        if low:  # otherwise the verifier holds this subtree already: it is the older root
            proof.append(self._subtree(low, high))
        return tuple(reversed(proof))

    def _known(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ValueError(f"the tree has {self.size} leaves, not {size}")
        return size

    def _node(self, height: int, index: int) -> bytes:
        return bytes(self._levels[height][index * HASH_SIZE : (index + 1) * HASH_SIZE])

    def _subtree(self, low: int, high: int) -> bytes:
        """Return the root over the leaves from *low* to *high*, where low is a multiple of a power of two >= the length."""
        root: bytes | None = None
        # Its perfect subtrees lie from large to small; fold them from the small end.
        while high > low:
            height = ((high - low) & -(high - low)).bit_length() - 1
            peak = self._node(height, (high >> height) - 1)
            root = peak if root is None else node_hash(peak, root)
            high -= 1 << height
        assert root is not None  # noqa: S101 - callers never ask for an empty range
        return root


def verify_inclusion(leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether *proof* shows *leaf* (a leaf hash) at the 0-based *index* of the tree with *size* and *root*.

    The algorithm is that of RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size or any(len(step) != HASH_SIZE for step in proof):
        return False
    node, last, result = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            result = node_hash(step, result)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            result = node_hash(result, step)
        node >>= 1
        last >>= 1
    return last == 0 and result == root


def verify_consistency(*, older: int, older_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether *proof* shows that the tree of *older* leaves is a prefix of the tree of *size*.

    The algorithm is that of RFC 9162, section 2.1.4.2; an empty older tree is a prefix of every tree.
    """
    if not 0 <= older <= size or any(len(step) != HASH_SIZE for step in proof):
        return False
    if older == 0:
        return not proof and older_root == EMPTY_ROOT and (size > 0 or root == EMPTY_ROOT)
    if older == size:
        return not proof and older_root == root
    steps = list(proof)
    if older & (older - 1) == 0:  # a perfect older tree is itself the first step
        steps.insert(0, older_root)
    if not steps:
        return False
    node, last = older - 1, size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old_result = new_result = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old_result = node_hash(step, old_result)
            new_result = node_hash(step, new_result)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new_result = node_hash(new_result, step)
        node >>= 1
        last >>= 1
    return last == 0 and old_result == older_root and new_result == root


def _split(size: int) -> int:
    """Return the largest power of two smaller than *size* (> 1)."""
    return 1 << (size - 1).bit_length() - 1
