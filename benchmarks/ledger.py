"""How fast the ledger writes, proves and verifies, beside pymerkle in the same run where that is installed.

Run with ``python benchmarks/ledger.py [--quick] [--json]``. Both trees get the same entries and must give the same
root before anything is measured. Times are CPU time, the best of several repeats, since noise only ever adds.
"""

import argparse
import gc
import json
from collections.abc import Callable
from time import process_time

from glideslope.ledger import bundle, canonical, checkpoint, entry, merkle, note
from glideslope.ledger.checkpoint import Checkpoint
from glideslope.ledger.entry import Entry
from glideslope.ledger.verify import verify

try:
    import pymerkle  # type: ignore[import-not-found,import-untyped,unused-ignore]  # no stubs, and often not installed
except ImportError:
    pymerkle = None

KEY = note.Signer("example.com/benchmark", bytes(32))
BODY = {
    "rollout": "flights-0007",
    "step": "s3",
    "decision": "advance",
    "reasons": ["guardrails-passed"],
    "candidate": 1000,
    "control": 2000,
    "evidence": "sha256:" + "ab" * 32,
    "low": -0.00123,
    "high": 0.0045,
    "counts": [10234, 10321, 99, 101],
}


def best(work: Callable[[], object], *, repeats: int) -> float:
    """Return the shortest of *repeats* runs, in seconds."""
    times = []
    for _ in range(repeats):
        gc.collect()
        start = process_time()
        work()
        times.append(process_time() - start)
    return min(times)


def written(count: int) -> list[bytes]:
    return [
        entry.encode(
            Entry(
                stream=f"rollout/{n % 100}",
                version=n // 100 + 1,
                at="2026-01-31T09:00:00.000Z",
                kind="decision-taken",
                body={**BODY, "n": n},
            )
        )
        for n in range(count)
    ]


def measure(*, count: int, repeats: int) -> dict[str, float]:
    """Return microseconds per operation over *count* entries, and the rates of whole runs."""
    data = written(count)
    leaves = list(map(merkle.leaf_hash, data))
    tree = merkle.Tree(leaves)
    one = entry.decode(data[0])
    indexes = range(0, count, max(1, count // 1000))
    proofs = [tree.inclusion_proof(index) for index in indexes]
    root = tree.root()
    signed = [
        checkpoint.sign(Checkpoint(origin=KEY.name, size=size, root=tree.root(size=size)), KEY)
        for size in (count // 4, count // 2, count)
    ]
    lines = list(bundle.format(checkpoints=signed, entries=data))
    older = count // 3
    loops = 10_000

    def micro(work: Callable[[], object], *, per: int) -> float:
        return best(work, repeats=repeats) / per * 1e6

    found = {
        "entries": count,
        "bytes per entry": sum(map(len, data)) / count,
        "make an Entry (us)": micro(
            lambda: [
                Entry(stream=one.stream, version=one.version, at=one.at, kind=one.kind, body=one.body)
                for _ in range(loops)
            ],
            per=loops,
        ),
        "entry.encode (us)": micro(lambda: [entry.encode(one) for _ in range(loops)], per=loops),
        "canonical.encode of the body (us)": micro(lambda: [canonical.encode(BODY) for _ in range(loops)], per=loops),
        "entry.decode (us)": micro(lambda: [entry.decode(data[0]) for _ in range(loops)], per=loops),
        "merkle.leaf_hash (us)": micro(lambda: [merkle.leaf_hash(each) for each in data], per=count),
        "append to a Tree (us)": micro(lambda: merkle.Tree(leaves), per=count),
        "root (us)": micro(lambda: [tree.root() for _ in range(1000)], per=1000),
        "inclusion proof (us)": micro(lambda: [tree.inclusion_proof(i) for i in indexes], per=len(indexes)),
        "check an inclusion proof (us)": micro(
            lambda: [
                merkle.verify_inclusion(leaves[i], index=i, size=count, proof=proof, root=root)
                for i, proof in zip(indexes, proofs, strict=True)
            ],
            per=len(indexes),
        ),
        "consistency proof, made and checked (us)": micro(
            lambda: merkle.verify_consistency(
                older=older,
                older_root=tree.root(size=older),
                size=count,
                root=root,
                proof=tree.consistency_proof(older),
            ),
            per=1,
        ),
        "sign a checkpoint (us)": micro(
            lambda: checkpoint.sign(Checkpoint(origin=KEY.name, size=count, root=root), KEY), per=1
        ),
    }
    report = verify(lines, trusted=[KEY.verifier])
    assert report.findings == ()
    seconds = best(lambda: verify(lines, trusted=[KEY.verifier]), repeats=min(repeats, 3))
    found["verify the bundle (s)"] = seconds
    found["verified entries per second"] = count / seconds
    if pymerkle is not None:
        found |= beside_pymerkle(data, root=root, repeats=min(repeats, 2), ours=found)
    return found


def beside_pymerkle(data: list[bytes], *, root: bytes, repeats: int, ours: dict[str, float]) -> dict[str, float]:
    """Measure the same appends and proofs with pymerkle; both count the hashing of the leaf."""

    def grown() -> "pymerkle.InmemoryTree":
        tree = pymerkle.InmemoryTree(algorithm="sha256")
        for each in data:
            tree.append_entry(each)
        return tree

    peer = grown()
    assert peer.get_root() == root, "the two trees disagree"
    indexes = range(1, len(data) + 1, max(1, len(data) // 200))
    append = best(grown, repeats=repeats) / len(data) * 1e6
    proof = best(lambda: [peer.prove_inclusion(i, len(data)) for i in indexes], repeats=repeats) / len(indexes) * 1e6
    mine = ours["append to a Tree (us)"] + ours["merkle.leaf_hash (us)"]
    return {
        "pymerkle: append (us)": append,
        "pymerkle: inclusion proof (us)": proof,
        "times faster to append": append / mine,
        "times faster to prove": proof / ours["inclusion proof (us)"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 entries, fewer repeats")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found = measure(count=10_000 if options.quick else 100_000, repeats=2 if options.quick else 5)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name:<42} {value:>14,.2f}")
    if pymerkle is None:
        print("pymerkle is not installed; not compared")


if __name__ == "__main__":
    main()
