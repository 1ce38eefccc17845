"""The tools: what an assistant may ask. Each reads or drafts; none can change anything, and the server would refuse if one tried."""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec

from glideslope.domain.errors import GlideslopeError, Invalid, NotFound, Unavailable
from glideslope.interfaces.cli.context import Api
from glideslope.interfaces.cli.exits import ApiRefused, NotGlideslope
from glideslope.interfaces.cli.session import at
from glideslope.interfaces.cli.shipped import explanations
from glideslope.interfaces.cli.verbs.verify import examined
from glideslope.settings import ROLE_HEADER

READER: Final = "reader"
TOLD: Final = 40
"""Entries of a story, the latest."""
MOST_FOUND: Final = 50

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class NotNarrowed(Unavailable):
    """The server would hear the assistant as more than a reader, so it is not let in."""

    code = "assistant-not-narrowed"

    def __init__(self, *, role: str) -> None:
        heard = f"would be heard as {role}" if role else "cannot be made a reader there"
        super().__init__(
            f"The assistant {heard}: the server knows no narrower role, or the token is not one for reading. Nothing was asked.",
            next_command="glideslope token create assistant --role reader",
        )


class Asking:
    """One server, asked as a reader whatever the token may do besides. Raises NotNarrowed where the server does not know that."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def require_narrow(self) -> None:
        """Make sure that the server hears a reader."""
        try:
            role = str(self.get(at("me")).get("role", ""))
        except ApiRefused as error:
            raise NotNarrowed(role="") from error
        if role != READER:
            raise NotNarrowed(role=role)

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Ask."""
        asked = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        return _json(self._api.call("GET", f"{path}?{urlencode(asked)}" if asked else path, None, _AS_READER))

    def draft(self, path: str, content: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Ask with a body; changes nothing, since a reader cannot."""
        return _json(self._api.call("POST", path, json.dumps(content).encode(), _AS_READER))

    def verified(self) -> dict[str, Any]:
        """Fetch the ledger and check it here, offline."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "ledger.bundle"
            with file.open("wb") as saved:
                for line in self._api.stream(at("ledger")):
                    saved.write(line + b"\n")
            key = str(self.get(at("ledger", "key"))["vkey"])
            return {**examined(file, vkey=key), "key": key, "key_from": "the server itself"}


_AS_READER: Final = {ROLE_HEADER: READER}


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No arguments."""


class OfRollout(msgspec.Struct, forbid_unknown_fields=True):
    """A rollout."""

    rollout: Annotated[Name, msgspec.Meta(description="Its id, such as r-0001.")]


class OfModel(msgspec.Struct, forbid_unknown_fields=True):
    """A model, or one of its versions."""

    model: Name
    version: Annotated[str, msgspec.Meta(max_length=200, description="Leave out for the model itself.")] = ""


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """What is looked for in the record."""

    question: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=1_000,
            description='Words, "phrases", and fields such as model:fraud kind:decided author:ana.',
        ),
    ]
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_FOUND)] = 20
    below: Annotated[int | None, msgspec.Meta(description="The `next` of an answer, for older entries.")] = None


class Draft(msgspec.Struct, forbid_unknown_fields=True):
    """A plan as it would be written."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=200_000, description="The content of glideslope.yaml.")]


class Code(msgspec.Struct, forbid_unknown_fields=True):
    """A code of an error, or a reason of a decision."""

    code: Name


@dataclass(frozen=True, slots=True)
class Tool:
    """Something to ask."""

    name: str
    says: str
    takes: type[msgspec.Struct]
    act: Callable[[Asking, Any], Any]

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of its arguments."""
        _, components = msgspec.json.schema_components([self.takes], ref_template="#/$defs/{name}")
        return {**components[self.takes.__name__], "type": "object"}


def _fleet(asking: Asking, _: Nothing) -> Any:  # noqa: ANN401 - JSON
    found = asking.get(at("fleet"), {"ended": 20})
    shown = ("id", "model", "incumbent", "candidate", "phase", "stage", "step", "share", "sentences", "next", "owner", "why",
             "proposed_by", "changed_at", "ended")  # fmt: skip
    return {**found, "rollouts": [{name: each.get(name) for name in shown} for each in found["rollouts"]]}


def _rollout(asking: Asking, of: OfRollout) -> Any:  # noqa: ANN401 - JSON
    return asking.get(at("rollouts", of.rollout))


def _why(asking: Asking, of: OfRollout) -> Any:  # noqa: ANN401 - JSON
    view = asking.get(at("rollouts", of.rollout))
    known = explanations()
    return {
        "rollout": {
            name: view.get(name)
            for name in ("id", "model", "incumbent", "candidate", "phase", "why", "next", "sentences")
        },
        "last": view.get("last"),
        "reasons": {code: known.get(code, "") for code in view.get("reasons", ())},
        "story": asking.get(at("rollouts", of.rollout, "story"), {"after": max(0, int(view["version"]) - TOLD)}),
    }


def _model(asking: Asking, of: OfModel) -> Any:  # noqa: ANN401 - JSON
    return asking.get(at("models", of.model, "versions", of.version) if of.version else at("models", of.model))


def _search(asking: Asking, of: Question) -> Any:  # noqa: ANN401 - JSON
    return asking.get(at("search"), {"q": of.question, "limit": of.limit, "below": of.below})


def _verify(asking: Asking, _: Nothing) -> Any:  # noqa: ANN401 - JSON
    return asking.verified()


def _plan(asking: Asking, of: Draft) -> Any:  # noqa: ANN401 - JSON
    return asking.draft(at("plan"), {"text": of.text, "file": "draft.yaml"})


def _explain(_: Asking, of: Code) -> Any:  # noqa: ANN401 - JSON
    known = explanations()
    if of.code not in known:
        raise NotFound(what="code", name=of.code, next_command="glideslope explain")
    return {"code": of.code, "text": known[of.code]}


TOOLS: Final = (
    Tool("fleet", "Show all models and their rollouts at a glance.", Nothing, _fleet),
    Tool(
        "rollout",
        "Show how one rollout stands: stage, traffic, guardrails with intervals, approvals.",
        OfRollout,
        _rollout,
    ),
    Tool(
        "why",
        "Tell why a rollout is where it is: the last decision with its reasons, and what happened.",
        OfRollout,
        _why,
    ),
    Tool(
        "model",
        "Show a model, or all that the record says about one of its versions, its card's facts too.",
        OfModel,
        _model,
    ),
    Tool("search", "Find entries of the record by words and fields, newest first.", Question, _search),
    Tool(
        "verify",
        "Fetch the ledger and check it: every entry and signature, and every decision made again.",
        Nothing,
        _verify,
    ),
    Tool(
        "plan",
        "Foresee what a drafted plan would do: steps, what they detect, how long. Proposes nothing.",
        Draft,
        _plan,
    ),
    Tool("explain", "Explain a code of an error or a reason.", Code, _explain),
)


def called(asking: Asking, name: str, arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return what a tool finds. Raises Invalid for a tool or arguments that are not, and what the server refuses."""
    tool = next((each for each in TOOLS if each.name == name), None)
    if tool is None:
        raise Invalid(f"There is no tool {name!r}; there are {', '.join(each.name for each in TOOLS)}.")
    try:
        given = msgspec.convert(dict(arguments), tool.takes)
    except msgspec.ValidationError as error:
        raise Invalid(f"The arguments of {name} cannot be read: {error}.") from None
    return tool.act(asking, given)


def refusal(error: GlideslopeError) -> dict[str, Any]:
    """Return a refusal as it is told to an assistant."""
    code = str(error.fields.get("code") or error.code) if isinstance(error, ApiRefused) else error.code
    return {"refused": True, "code": code, "detail": str(error), "traffic": error.traffic}


def _json(answer: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise NotGlideslope(why=str(error)) from error
