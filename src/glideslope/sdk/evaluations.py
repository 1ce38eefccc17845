"""Tells OpenTelemetry of each assignment made in this process, as the event `feature_flag.evaluation` of its conventions.

Only where the environment asks for logs over OTLP and the service has OpenTelemetry's API; who receives them is the service's own logger
provider. https://opentelemetry.io/docs/specs/semconv/feature-flags/feature-flags-events/ (attributes are still moving there).
"""

import hashlib
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from glideslope.sdk.assign import Assigned

EVENT: Final = "feature_flag.evaluation"
PROVIDER: Final = "glideslope"


class Evaluations:
    """Tells of one model's. Never raises."""

    def __init__(self, model: str, *, logger: Any) -> None:  # noqa: ANN401 - of a package that need not be there
        self._model = model
        self._logger = logger

    def tell(self, assigned: Assigned, subject: str, *, key: bytes) -> None:
        """Tell of an assignment. The subject is told as a hash that nobody can guess without the model's key, or not at all."""
        try:
            attributes: dict[str, str] = {
                "feature_flag.key": self._model,
                "feature_flag.provider.name": PROVIDER,
                "feature_flag.result.variant": assigned.arm.value,
                "feature_flag.result.reason": "split" if assigned.measured else "default",
            }
            if assigned.rollout:
                attributes["feature_flag.set.id"] = assigned.rollout
                attributes["feature_flag.version"] = assigned.step
            if subject and key:
                attributes["feature_flag.context.id"] = hashlib.blake2b(
                    subject.encode(), key=key[:64], digest_size=8
                ).hexdigest()
            self._logger.emit(event_name=EVENT, attributes=attributes)
        except Exception:  # noqa: BLE001 - the boundary to the host: nobody waits for an event
            return


def evaluations(model: str, environment: Mapping[str, str]) -> Evaluations | None:
    """Return who tells of a model's assignments; None unless the environment asks for it and OpenTelemetry is there."""
    if not is_asked_for(environment):
        return None
    try:
        # By name, since a service need not have it.
        logger = import_module("opentelemetry._logs").get_logger("glideslope.sdk")
    except Exception:  # noqa: BLE001 - the boundary to the host, whose packages are its own
        return None
    return Evaluations(model, logger=logger)


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Tell whether logs are to be sent over OTLP: an exporter is named, or an endpoint, and the SDK is not switched off."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_LOGS_EXPORTER", "").strip()
    if exporter:
        return "otlp" in exporter.split(",")
    return any(environment.get(f"OTEL_EXPORTER_OTLP_{of}ENDPOINT", "").strip() for of in ("", "LOGS_"))
