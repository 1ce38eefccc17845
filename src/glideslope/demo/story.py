"""`glideslope demo`: four acts on real flights. Everything goes through the doors that users have; no fault is injected.

1. A sound v2 walks offline, shadow, canary, full and bake, and is promoted on proof.
2. Meanwhile the server is killed: traffic returns to the incumbent by itself, and nothing is lost.
3. v3, which looked better on a random holdout, is rolled back at a small share.
4. The record is verified by a stranger; then one byte is changed in a copy, and it is found.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any, Final

import msgspec

from glideslope.demo.facts import facts_text
from glideslope.demo.flights import load_flights
from glideslope.demo.plans import MODEL, evaluations, plan_text
from glideslope.demo.processes import NotReady, Tree, glideslope, model_servers, tree
from glideslope.demo.result import DemoResult, KillResult, RecordResult, RolloutResult
from glideslope.demo.telling import Teller
from glideslope.demo.traffic import Traffic
from glideslope.demo.training import Versions, train_all
from glideslope.domain.reasons import Reason
from glideslope.sdk.client import Client
from glideslope.sdk.errors import ServerRefused, ServerUnreachable
from glideslope.sdk.requests import json_call
from glideslope.wiring.browsing import browse as show

WHY: Final = {
    "v1": "Serves today; learned from January to August.",
    "v2": "Retrained through October.",
    "v3": "Retrained on September and October, the freshest data.",
}

DAY: Final = 2.0
"""Wall seconds that a day of data takes."""

LEASE: Final = 1.0
SLACK: Final = 0.25
"""Seconds that answers already under way may take on a busy machine."""

PATIENCE: Final = 90.0
"""Seconds that one rollout may take before the demo gives up on it."""

REVIEWER: Final = "ben"

BUNDLE: Final = "ledger.bundle"
KEY: Final = "ledger.key"
"""Of the record and the key to check it with, in the folder."""


class Unexpected(RuntimeError):
    """The story did not go as the promises say."""


def run(*, as_json: bool, keep: Path | None, browse: Callable[[str, str], None] | None = None) -> int:
    """Play the demo; return the exit status: 0 only if all of it came out so.

    `browse` is told where its record is shown as pages afterwards, until somebody ends that.
    """
    teller = Teller(stream=sys.stderr if as_json else sys.stdout)
    with _workspace(keep) as folder:
        try:
            result = _Story(teller, folder).play()
        except (NotReady, Unexpected) as error:
            teller.line(f"The demo could not go on: {error}")
            return 1
        if as_json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n")
        if browse is not None:
            lines = (folder / BUNDLE).read_bytes().splitlines(keepends=True)
            show(lines, key=(folder / KEY).read_text(encoding="utf-8").strip(), port=0, ready=browse)
    return 0 if result.ok else 1


@contextlib.contextmanager
def _workspace(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="glideslope-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Story:
    """The acts in their order, and what they found."""

    def __init__(self, teller: Teller, folder: Path) -> None:
        self._tell = teller
        self._folder = folder
        self._failures: list[str] = []
        self._versions: Versions
        self._tree: Tree
        self._client: Client
        self._traffic: Traffic
        self._reviewer = ""
        self._told: dict[str, int] = {}

    def play(self) -> DemoResult:
        """Play all acts."""
        tell = self._tell
        tell.heading("Real flights, real models")
        flights = load_flights(self._folder)
        tell.line(
            f"{len(flights):,} flights out of New York in 2013; predict at departure who arrives over 15 minutes late"
        )
        self._versions = train_all(flights, self._folder / "models")
        tell.line("trained v1 (Jan-Aug), v2 (Jan-Oct) and v3 (Sep-Oct, 'the freshest data')")
        with ExitStack() as stack:
            self._tree = stack.enter_context(tree(self._folder / ".glideslope"))
            tell.line(f"glideslope up: server {self._tree.server}, gateway {self._tree.gateway}")
            self._client = Client(self._tree.server, self._tree.token, timeout=10.0)
            self._reviewer = self._tokens()
            self._register(stack)
            self._traffic = Traffic(
                flights.select(flights.between(date(2013, 10, 30), date(2013, 12, 31))),
                gateway=f"{self._tree.gateway}/{MODEL}/predict",
                client=self._client,
                hours_per_second=24 / DAY,
            )
            promoted, kill = asyncio.run(self._first_rollout())
            rolled_back, warning = asyncio.run(self._second_rollout())
            self._traffic.sender.stop(timeout=5.0)
            record = self._verify()
        counts = self._traffic.replay.counts
        self._expect(counts.dropped == 0, f"{counts.dropped} requests were dropped")
        self._close(record)
        return DemoResult(
            ok=not self._failures,
            failures=tuple(self._failures),
            rollouts=(promoted, rolled_back),
            kill=kill,
            record=record,
            offline_warning=warning,
            requests=counts.requests,
            dropped=counts.dropped,
            outcomes=self._traffic.sender.counted,
            seconds=round(tell.seconds, 1),
        )

    def _tokens(self) -> str:
        source = self._token("model-servers", "source", "--model", MODEL)
        path = self._tree.state / "source-token"
        path.touch(mode=0o600)
        path.write_text(source, encoding="utf-8")
        return self._token(REVIEWER, "member")

    def _token(self, actor: str, role: str, *more: str) -> str:
        said = glideslope("token", "create", actor, "--role", role, *more, "--json", state=self._tree.state)
        if said.returncode:
            raise Unexpected(f"no token for {actor}: {said.stderr.strip()}")
        return str(json.loads(said.stdout)["token"])

    def _register(self, stack: ExitStack) -> None:
        incumbent = {"v2": "v1", "v3": "v2"}
        urls = stack.enter_context(model_servers(self._versions.folders, model=MODEL, state=self._tree.state))
        for version, folder in self._versions.folders.items():
            arguments = [
                "register",
                MODEL,
                version,
                "--url",
                urls[version],
                "--folder",
                str(folder),
                "-m",
                WHY[version],
            ]
            if version in incumbent:
                measured = evaluations(self._versions.comparisons, candidate=version, incumbent=incumbent[version])
                path = self._folder / f"evaluation-{version}.json"
                path.write_text(json.dumps(measured, indent=1), encoding="utf-8")
                arguments += ["--evaluation", str(path)]
            else:
                arguments += ["--incumbent"]
            self._run(*arguments)
            stated = self._folder / f"facts-{version}.json"
            stated.write_text(facts_text(folder), encoding="utf-8")
            self._run("facts", "record", MODEL, version, "-f", str(stated), "-m", "as its training wrote it")
        self._tell.line("v1, v2 and v3 are served by HTTP processes of their own and registered by digest; v1 serves")

    # Act one and two

    async def _first_rollout(self) -> tuple[RolloutResult, KillResult]:
        tell = self._tell
        tell.heading("1. A sound candidate is promoted on proof, and the server is killed on the way")
        await self._warm_up()
        id_ = self._propose("v2", why="Retrained through October: two more months of flights.")
        replaying = asyncio.create_task(self._traffic.run(lambda: False))
        try:
            await self._until(id_, lambda v: v["share"] == 2500 and v["confirmed"])
            kill = await self._kill(id_)
            view = await self._until(id_, lambda v: v["ended"])
        finally:
            self._traffic.replay.stop()
            await replaying
        self._expect(view["phase"] == "promoted", f"v2 ended {view['phase']} instead of promoted")
        return self._result(view), kill

    async def _warm_up(self) -> None:
        """Let the incumbent serve a while, so that the plan knows its traffic."""
        begun = time.monotonic()
        await self._traffic.run(lambda: time.monotonic() - begun > DAY)

    async def _kill(self, id_: str) -> KillResult:
        tell, traffic = self._tell, self._traffic
        before = traffic.replay.counts.requests, traffic.replay.counts.dropped
        pid = self._tree.server_pid()
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        tell.line("kill -9 of the server, in the middle of the 25 % step. Nobody is told.", day=traffic.day)
        await asyncio.sleep(LEASE + 0.5)
        last = max((s.at for s in traffic.since(killed) if s.arm == "candidate"), default=killed)
        late = [s for s in traffic.since(killed + LEASE + SLACK) if s.arm]
        self._expect(not late, f"{len(late)} requests were still measured after the lease had ended")
        seconds = last - killed
        tell.line(
            f"the last answer of v2 came {seconds:.2f} s after the kill (lease {LEASE:g} s); v1 serves everybody",
            day=traffic.day,
        )
        view = await self._until(id_, lambda v: "lease-restored" in v["reasons"] and v["confirmed"])
        kinds = [h["kind"] for h in self._get(f"/v1/rollouts/{id_}/story")]
        lapsed = "lease-lapsed" in kinds
        restored = lapsed and "decided" in kinds[kinds.index("lease-lapsed") :]
        requests, dropped = traffic.replay.counts.requests - before[0], traffic.replay.counts.dropped - before[1]
        tell.line(
            f"the restarted server recorded the lapse and decided afresh; {requests:,} requests meanwhile, {dropped} dropped",
            day=traffic.day,
        )
        self._expect(lapsed and restored, "the lapse or the fresh decision is missing from the record")
        self._expect(0 < seconds <= LEASE + SLACK, f"the candidate answered until {seconds:.2f} s after the kill")
        return KillResult(
            share_before=view["share"],
            seconds_to_incumbent=round(seconds, 3),
            lease_seconds=LEASE,
            requests_meanwhile=requests,
            dropped_meanwhile=dropped,
            lapse_recorded=lapsed,
            exposure_came_back_by_decision=restored,
        )

    # Act three

    async def _second_rollout(self) -> tuple[RolloutResult, str]:
        tell, traffic = self._tell, self._traffic
        tell.heading("2. A candidate that looked better is withdrawn at a small share")
        december = date(2013, 12, 1)
        traffic.replay.set_speed(None)
        await traffic.run(lambda: traffic.replay.now.date() >= december)
        traffic.replay.set_speed(24 / DAY)
        await self._warm_up()
        text = plan_text(candidate="v3", why="Retrained on the freshest data; AUC is up.", day=DAY)
        shown = self._post("/v1/plan", {"text": text, "file": "v3.yaml"})
        warned = [w for w in shown["warnings"] if w["code"] == "holdouts-disagree"]
        for warning in warned:
            tell.line(f"plan warns: {warning['sentence']}", day=traffic.day)
        self._expect(bool(warned), "plan did not warn that the holdouts disagree about v3")
        id_ = self._propose("v3", why="Retrained on the freshest data; AUC is up.")
        replaying = asyncio.create_task(traffic.run(lambda: False))
        try:
            view = await self._until(id_, lambda v: v["ended"])
        finally:
            traffic.replay.stop()
            await replaying
        self._expect(view["phase"] == "rolled-back", f"v3 ended {view['phase']} instead of rolled back")
        result = self._result(view)
        self._expect(0 < result.share <= 2500, f"v3 was stopped at {result.share / 100:g} %, not at a small share")
        self._tell_breach(view, result)
        return result, warned[0]["sentence"] if warned else ""

    def _tell_breach(self, view: dict[str, Any], result: RolloutResult) -> None:
        tell = self._tell
        where = "on all flights" if result.slice == "all" else f"on {result.slice}"
        interval = f"[{_signed(result.low)}, {_signed(result.high)}]"
        tell.line(
            f"ROLLED BACK  {result.guardrail} {where}: {_signed(result.estimate)} {interval} against {view['incumbent']}",
            day=result.data_day,
        )
        tell.line(
            f"{result.canary_requests:,} subjects met v3, at most {result.share / 100:g} % at a time; "
            f"zero exposure confirmed {result.confirmation_ms or 0:.0f} ms after the decision; "
            f"{self._traffic.replay.counts.dropped} requests dropped",
            day=result.data_day,
        )

    # Act four

    def _verify(self) -> RecordResult:
        tell = self._tell
        tell.heading("3. A stranger checks the record")
        bundle = self._folder / BUNDLE
        key = str(self._get("/v1/ledger/key")["vkey"])
        (self._folder / KEY).write_text(f"{key}\n", encoding="utf-8")
        self._run("verify", "--out", str(bundle), "--key", key)
        sound = glideslope("verify", str(bundle), "--key", key, "--json", state=self._tree.state)
        report = json.loads(sound.stdout)
        tell.line(f"$ glideslope verify {bundle.name} --key ledger.key")
        tell.quote(glideslope("verify", str(bundle), "--key", key, state=self._tree.state).stdout)
        tampered = self._folder / "tampered.bundle"
        tampered.write_bytes(_one_byte_changed(bundle.read_bytes()))
        found = glideslope("verify", str(tampered), "--key", key, "--json", state=self._tree.state)
        tell.line("one byte of a copy is changed")
        shown = glideslope("verify", str(tampered), "--key", key, state=self._tree.state)
        tell.quote(shown.stdout + shown.stderr)
        self._expect(sound.returncode == 0, "the record did not verify")
        self._expect(found.returncode == 9, "the changed byte was not found")
        findings = json.loads(found.stdout)["findings"] if found.stdout else []
        return RecordResult(
            entries=report["entries"],
            checkpoints=report["checkpoints"],
            decisions_replayed=report["decisions"],
            verified=sound.returncode == 0,
            tampering_found=found.returncode == 9,
            tampered_entry=next((f["entry"] for f in findings if f["entry"]), 0),
        )

    def _close(self, record: RecordResult) -> None:
        tell = self._tell
        if self._failures:
            tell.heading("Not as promised")
            for failure in self._failures:
                tell.line(failure)
            return
        tell.heading("All as promised")
        tell.line(
            f"{self._traffic.replay.counts.requests:,} requests, {self._traffic.replay.counts.dropped} dropped; "
            f"{record.entries} entries, {record.decisions_replayed} decisions replayed"
        )
        tell.line(
            "Look closer: glideslope demo --keep demo   keeps the record, the key, the logs and the models in demo/"
        )
        tell.line("  glideslope verify demo/ledger.bundle --key demo/ledger.key")
        tell.line("As pages, with a tour: glideslope browse demo/ledger.bundle --key demo/ledger.key")
        tell.line("Your own model: glideslope init, then the second section of the README")

    # The doors

    def _propose(self, candidate: str, *, why: str) -> str:
        path = self._folder / f"{candidate}.yaml"
        path.write_text(plan_text(candidate=candidate, why=why, day=DAY), encoding="utf-8")
        self._tell.line(f"$ glideslope apply {path.name}", day=self._traffic.day)
        said = self._run("apply", str(path), "--json")
        view = json.loads(said)
        id_ = str(view["id"])
        self._tell.line(f"{id_} proposed; it waits for somebody else", day=self._traffic.day)
        self._run("approve", id_, "-m", "read the plan and the evaluation", token=self._reviewer)
        return id_

    async def _until(self, id_: str, reached: Any) -> dict[str, Any]:  # noqa: ANN401 - a predicate on JSON
        """Wait for a rollout, telling its story as it goes. Raises Unexpected when it takes too long or ends otherwise."""
        deadline = time.monotonic() + PATIENCE
        told = self._told
        while True:
            with contextlib.suppress(ServerUnreachable):
                view: dict[str, Any] = await asyncio.to_thread(self._get, f"/v1/rollouts/{id_}")
                for happening in await asyncio.to_thread(
                    self._get, f"/v1/rollouts/{id_}/story?after={told.get(id_, 0)}"
                ):
                    told[id_] = happening["version"]
                    if Reason.MINIMUM_TIME.sentence not in happening["sentence"]:
                        self._tell.line(happening["sentence"], day=self._traffic.day)
                if reached(view):
                    return view
                if view["ended"]:
                    return view
            if time.monotonic() > deadline:
                raise Unexpected(f"{id_} did not get there within {PATIENCE:g} s")
            if self._traffic.replay.finished:
                raise Unexpected(f"the flights ended before {id_} did")
            await asyncio.sleep(0.1)

    def _result(self, view: dict[str, Any]) -> RolloutResult:
        last = view["last"]
        decisive = next((f for f in last["findings"] if f["verdict"] == "fail"), None)
        shown: dict[str, Any] = next(
            (
                g
                for g in view["guardrails"]
                if decisive and (g["metric"], g["slice"]) == (decisive["subject"], decisive["slice"])
            ),
            {},
        )
        step = next((s for s in view["steps"] if s["name"] == last["step"]), {"candidate": 0})
        return RolloutResult(
            rollout=view["id"],
            candidate=view["candidate"],
            decision=last["decision"],
            step=last["step"],
            stage=last["stage"],
            share=step["candidate"],
            reasons=tuple(last["reasons"]),
            guardrail=decisive["subject"] if decisive else "",
            slice=decisive["slice"] if decisive else "",
            low=shown.get("low"),
            estimate=shown.get("estimate"),
            high=shown.get("high"),
            canary_requests=view["candidate_subjects"],
            confirmation_ms=view["confirmation_ms"],
            requests=self._traffic.replay.counts.requests,
            dropped=self._traffic.replay.counts.dropped,
            data_day=self._traffic.day,
        )

    def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        return self._client.send(json_call("GET", path))

    def _post(self, path: str, content: object) -> Any:  # noqa: ANN401 - JSON
        try:
            return self._client.send(json_call("POST", path, content=content))
        except ServerRefused as error:
            raise Unexpected(str(error)) from error

    def _run(self, *arguments: str, token: str = "") -> str:
        said = glideslope(*arguments, state=self._tree.state, token=token)
        if said.returncode:
            raise Unexpected(
                f"`glideslope {' '.join(arguments)}` ended with {said.returncode}:\n{said.stderr or said.stdout}"
            )
        return said.stdout

    def _expect(self, true: bool, otherwise: str) -> None:
        if not true:
            self._failures.append(otherwise)


def _one_byte_changed(data: bytes) -> bytes:
    """Turn one digit of a count, in the evidence of the last decision, into another."""
    place = data.rfind(b'"candidate":[') + len(b'"candidate":[')
    changed = b"1" if data[place : place + 1] != b"1" else b"2"
    return data[:place] + changed + data[place + 1 :]


def _signed(value: float | None) -> str:
    return "?" if value is None else f"{value:+.3f}"
