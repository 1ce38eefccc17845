"""Rules written in the Common Expression Language, evaluated by Google's own implementation (cel-expr-python 0.1.3, C++).

Only in the findings form: the expression returns the list of what is wrong, so that an answer names its offenders. Measured: it
does not raise where an expression fails but gives a value of type ERROR, a text: so nothing but a list of texts counts.
"""

from functools import lru_cache
from typing import Any, Final

import msgspec

from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.policy import Cel, Fail, NoEvidence, Opa, Outcome, Pass

MEMBERS: Final = Dossier.__struct_fields__
INSTALL: Final = 'CEL, which is not installed here: pip install "glideslope[cel]"'
MOST_FINDINGS: Final = 1_000


class CelSource:
    """Evaluates expressions in this process. It reads nothing but the dossier, and an expression has no loops without an end."""

    def answer(self, rule: Cel | Opa, dossier: Dossier) -> Outcome:
        """Return what an expression finds; whatever it cannot tell is no evidence."""
        if not isinstance(rule, Cel):
            return NoEvidence(("an answer: CEL does not answer such a rule",))
        try:
            expression = _compiled(rule.findings)
        except ModuleNotFoundError:
            return NoEvidence((INSTALL,))
        except Exception as error:  # noqa: BLE001 - the binding raises RuntimeError for all that it refuses
            return NoEvidence((f"an expression that can be compiled: {_first(error)}",))
        try:
            found = expression.eval(data=msgspec.json.decode(msgspec.json.encode(dossier))).plain_value()
        except Exception as error:  # noqa: BLE001 - as above
            return NoEvidence((f"an answer of CEL: {_first(error)}",))
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            said = f"`{found}`" if isinstance(found, str) else f"a {type(found).__name__}"
            return NoEvidence((f"a list of texts: the expression gave {said[:300]}",))
        if found:
            return Fail(tuple(each[:500] for each in found[:MOST_FINDINGS]))
        return Pass(("the expression found nothing wrong",))


@lru_cache(maxsize=256)
def _compiled(text: str) -> Any:  # noqa: ANN401 - the binding's own type
    from cel_expr_python import cel  # an extra, of 51 MB

    return cel.NewEnv(variables=dict.fromkeys(MEMBERS, cel.Type.DYN)).compile(text)


def _first(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
