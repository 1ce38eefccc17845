"""What a metric of a plan's own costs: reading an expression, evaluating it, counting an outcome by it; beside other evaluators.

Run with ``python benchmarks/formulas.py [--quick] [--json]``. Times are the best of several repeats, since noise only ever adds. Peers
(simpleeval, asteval, cel-python) are measured where they can be imported; `eval` of compiled Python is the floor that none may use, since
it runs whatever it is given.
"""

import argparse
import gc
import importlib
import json
import platform
from collections.abc import Callable
from time import perf_counter
from typing import Any

from glideslope.domain.expression import Type, compiled, parsed

EXPRESSIONS = {
    "condition": "prediction >= 0.8 and not happened",
    "money": "amount * (happened - prediction)",
    "choice": "(20.0 if happened else -5.0) if prediction >= 0.5 else (-200.0 if happened else 0.0)",
}
TYPES = {"prediction": Type.NUMBER, "happened": Type.BOOLEAN, "amount": Type.NUMBER}
INPUTS = {"prediction": 0.75, "happened": True, "amount": 129.0}


def best(work: Callable[[], object], *, calls: int, repeats: int) -> float:
    """Return the shortest time of one call, in microseconds."""
    times = []
    gc.disable()
    for _ in range(repeats):
        start = perf_counter()
        for _ in range(calls):
            work()
        times.append(perf_counter() - start)
    gc.enable()
    return min(times) / calls * 1e6


def peers(text: str) -> dict[str, Callable[[], object]]:
    """Return what evaluates the same text in other libraries, ready to be called; absent where it is not installed."""
    found: dict[str, Callable[[], object]] = {}
    code = compile(text, "<expression>", "eval")
    found["eval (unsafe)"] = lambda: eval(code, {}, INPUTS)  # noqa: S307 - the floor
    simpleeval = optional("simpleeval")
    if simpleeval:
        evaluator = simpleeval.SimpleEval(names=INPUTS)
        tree = evaluator.parse(text)
        found["simpleeval"] = lambda: evaluator.eval(text, previously_parsed=tree)
    asteval = optional("asteval")
    if asteval and " if " not in text:
        interpreter = asteval.Interpreter(user_symbols=dict(INPUTS), minimal=True)
        node = interpreter.parse(text)
        found["asteval"] = lambda: interpreter.run(node)
    celpy = optional("celpy")
    if celpy and text == EXPRESSIONS["condition"]:
        environment = celpy.Environment()
        program = environment.program(environment.compile("prediction >= 0.8 && !happened"))
        activation = celpy.json_to_cel(INPUTS)
        found["cel-python"] = lambda: program.evaluate(activation)
    return found


def optional(name: str) -> Any:  # noqa: ANN401 - a module, or nothing
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    options = parser.parse_args()
    calls, repeats = (300, 5) if options.quick else (3_000, 30)
    figures: dict[str, dict[str, float]] = {}
    for name, text in EXPRESSIONS.items():
        ours = compiled(parsed(text), TYPES)
        rows = {
            "read and check": best(
                lambda text=text: compiled(parsed(text), TYPES), calls=max(30, calls // 10), repeats=repeats
            ),  # type: ignore[misc]
            "glideslope": best(lambda ours=ours: ours(INPUTS), calls=calls, repeats=repeats),  # type: ignore[misc]
            **{peer: best(work, calls=calls, repeats=repeats) for peer, work in peers(text).items()},
        }
        figures[name] = {key: round(value, 3) for key, value in rows.items()}
    if options.json:
        print(json.dumps({"python": platform.python_version(), "microseconds": figures}))
        return
    for name, rows in figures.items():
        print(f"{name}: {EXPRESSIONS[name]}")
        for key, value in rows.items():
            print(f"  {key:16} {value:9.2f} us")


if __name__ == "__main__":
    main()
