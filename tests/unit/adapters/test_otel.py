"""Traces that a real receiver of OTLP over HTTP gets: who caused what, within the caller's trace, and nothing of what only ticked."""

import asyncio
import gzip
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `otel` is not installed")

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

from glideslope import __version__
from glideslope.adapters.tracing.otel import OtelTracer
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import RolloutId, StepName
from glideslope.domain.traffic import Arm
from glideslope.engine.tracing import NO_TRACER
from glideslope.interfaces.api.app import create_app
from glideslope.interfaces.metering import HttpMeter
from glideslope.sdk import Service
from glideslope.sdk import evaluations as sdk_evaluations
from glideslope.sdk.assign import Assigned
from glideslope.sdk.evaluations import Evaluations
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import ADA, World
from glideslope.wiring import tracing

CALLER = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


class Receiver:
    """Takes OTLP over HTTP, as a collector does."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                assert self.headers["Content-Type"] == "application/x-protobuf"
                receiver.bodies.append((self.path, body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name for it
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def spans(self) -> dict[str, list[dict[str, Any]]]:
        """Return all spans by name."""
        found: dict[str, list[dict[str, Any]]] = {}
        for path, body in self.bodies:
            assert path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                about = {a.key: a.value.string_value for a in resource.resource.attributes}
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    said = {a.key: _value(a.value) for a in span.attributes}
                    ids = {"trace": span.trace_id.hex(), "id": span.span_id.hex(), "parent": span.parent_span_id.hex()}
                    long = span.end_time_unix_nano - span.start_time_unix_nano
                    told = {
                        **ids,
                        "said": said,
                        "about": about,
                        "kind": span.kind,
                        "long": long,
                        "status": span.status.code,
                    }
                    found.setdefault(span.name, []).append(told)
        return found


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


def tracer_to(receiver: Receiver) -> OtelTracer:
    return OtelTracer(exporter=OTLPSpanExporter(endpoint=f"{receiver.url}/v1/traces"))


async def test_a_command_is_one_trace_from_its_caller_to_its_commit_and_a_tick_is_told_for_what_it_did(
    receiver: Receiver,
) -> None:
    tracer = tracer_to(receiver)
    world = World(seed=4, identify={"gs_ada": Identity(actor=ADA, role=Role.ADMIN)}.get)
    world.tracer = tracer
    await world.serves("delays", v1=SOUND, v2=SOUND)
    api = create_app(world.app, new_key=world.key)
    app = HttpMeter(tracer=tracer).around(api, ())
    plan = "model: delays\ncandidate: v2\nowner: me\nwhy: better\n"
    headers = {"Authorization": "Bearer gs_ada", "traceparent": f"00-{CALLER[0]}-{CALLER[1]}-01"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as client:
        assert (await client.post("/v1/rollouts", json={"text": plan})).status_code == 201
        assert (await client.get("/v1/models/nothing?secret=gs_nobody")).status_code == 422
        assert (await client.get("/v1/healthz")).status_code == 200
    ids: list[tuple[str, str]] = []

    async def ticks() -> None:
        with tracer.span("glideslope.tick", quiet=True):
            ids.append(tracer.ids())
            await world.app.governor.tick()
            ids.append(tracer.ids())

    await ticks()
    for _ in range(5):
        await ticks()
    await asyncio.to_thread(tracer.close)
    spans = receiver.spans()

    (request,) = spans["POST /v1/rollouts"]
    assert (request["trace"], request["parent"]) == CALLER
    assert request["kind"] == 2, "a server's"
    assert request["said"] == {
        "http.request.method": "POST",
        "http.response.status_code": 201,
        "http.route": "/v1/rollouts",
        "url.path": "/v1/rollouts",
        "url.scheme": "http",
        "server.address": "test",
        "server.port": request["said"]["server.port"],
    }
    assert (request["about"]["service.name"], request["about"]["service.version"]) == ("glideslope", __version__)
    proposed = [s for s in spans["glideslope.commit"] if s["parent"] == request["id"]]
    assert [s["said"]["glideslope.stream"] for s in proposed] == ["r-0001"]

    (decided,) = [s for s in spans["glideslope.decide"] if s["said"]["glideslope.decision"] == "advance"]
    assert decided["said"]["glideslope.rollout"] == "r-0001"
    assert decided["said"]["glideslope.reasons"] == "approved"
    (tick,) = [s for s in spans["glideslope.tick"] if s["id"] == decided["parent"]]
    assert tick["parent"] == ""
    assert tick["long"] >= decided["long"], "it is told with the time at which it really began"
    assert decided["id"] in {s["parent"] for s in spans["glideslope.commit"]}
    assert len(spans["glideslope.lease"]) == 1, "renewals are no news"
    assert len(spans["glideslope.tick"]) < 6, "ticks that did nothing are not told"
    assert ids[0] == ("", "")
    assert ids[1] == (tick["trace"], tick["id"]), "what is logged can be found from the trace"
    of_proposal = next(r.entry for r in world.app.record.history("r-0001"))
    assert world.app.record.traces[of_proposal] == (CALLER[0], proposed[0]["id"]), "so is what is recorded"
    assert "GET /v1/healthz" not in spans
    assert not any(b"gs_" in body for _, body in receiver.bodies)


async def test_what_fails_is_told_as_its_kind_and_without_its_words(receiver: Receiver) -> None:
    tracer = tracer_to(receiver)
    with pytest.raises(ValueError, match="gs_"), tracer.span("glideslope.commit"):
        raise ValueError("token gs_abcdefgh")
    await asyncio.to_thread(tracer.close)

    (span,) = receiver.spans()["glideslope.commit"]
    assert (span["said"], span["status"]) == ({"error.type": "ValueError"}, 2)
    assert b"gs_" not in receiver.bodies[0][1]


@pytest.mark.parametrize("given", ["", "nonsense", "00-zz-zz-01", f"00-{'0' * 32}-{CALLER[1]}-01"])
async def test_a_traceparent_that_is_none_begins_a_trace_of_its_own(receiver: Receiver, given: str) -> None:
    tracer = tracer_to(receiver)
    with tracer.request({"traceparent": given}) as span:
        span.rename("GET /")
    await asyncio.to_thread(tracer.close)

    (found,) = receiver.spans()["GET /"]
    assert found["parent"] == ""


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
    ],
)
def test_the_environment_decides(environment: dict[str, str], asked: bool) -> None:
    assert tracing.is_asked_for(environment) is asked


async def test_without_the_extra_nobody_follows_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(_name: str) -> None:
        raise ModuleNotFoundError("No module named 'opentelemetry'", name="opentelemetry")

    monkeypatch.setattr("glideslope.wiring.tracing.importlib.import_module", missing)
    with caplog.at_level(logging.WARNING):
        async with tracing.following({"OTEL_TRACES_EXPORTER": "otlp"}) as tracer:
            assert tracer is NO_TRACER
    assert "glideslope[otel]" in caplog.text


def test_an_assignment_in_process_is_an_event_by_the_conventions(receiver: Receiver) -> None:
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint=f"{receiver.url}/v1/logs")))
    told = Evaluations("fraud", logger=provider.get_logger("glideslope.sdk"))
    exposed = Assigned(Arm.CANDIDATE, measured=True, rollout=RolloutId("r-0001"), step=StepName("s1"))

    told.tell(exposed, "customer-7", key=b"k" * 32)
    told.tell(Assigned(Arm.INCUMBENT, measured=False), "", key=b"")
    provider.shutdown()

    records = [
        record
        for _, body in receiver.bodies
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]
    said = [{a.key: a.value.string_value for a in record.attributes} for record in records]
    assert {record.event_name for record in records} == {"feature_flag.evaluation"}
    hashed = said[0].pop("feature_flag.context.id")
    assert said == [
        {
            "feature_flag.key": "fraud",
            "feature_flag.provider.name": "glideslope",
            "feature_flag.result.variant": "candidate",
            "feature_flag.result.reason": "split",
            "feature_flag.set.id": "r-0001",
            "feature_flag.version": "s1",
        },
        {
            "feature_flag.key": "fraud",
            "feature_flag.provider.name": "glideslope",
            "feature_flag.result.variant": "incumbent",
            "feature_flag.result.reason": "default",
        },
    ]
    assert len(hashed) == 16
    assert not any(b"customer" in body for _, body in receiver.bodies)


def test_nobody_tells_of_assignments_unless_the_environment_asks() -> None:
    assert sdk_evaluations.evaluations("fraud", {}) is None
    assert sdk_evaluations.evaluations("fraud", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}) is not None


def test_a_service_that_assigns_in_process_tells_of_it_and_is_not_disturbed_by_a_logger_that_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[dict[str, str]] = []

    class Logger:
        def emit(self, *, event_name: str, attributes: dict[str, str]) -> None:
            assert event_name == "feature_flag.evaluation"
            told.append(attributes)
            raise RuntimeError("the logger is broken")

    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "otlp")
    module = SimpleNamespace(get_logger=lambda _name: Logger())
    monkeypatch.setattr(sdk_evaluations, "import_module", lambda _name: module)
    service = Service("fraud")

    assert service.assign("customer-7").arm is Arm.INCUMBENT
    assert [each["feature_flag.result.reason"] for each in told] == ["default"]
    assert "feature_flag.context.id" not in told[0], "no key is known, and a plain hash could be guessed"
