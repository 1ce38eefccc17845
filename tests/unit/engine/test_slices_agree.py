"""The counters and the log name the slices of a request alike, crosses too: else a recomputation would contradict itself."""

from itertools import product

import pytest

from glideslope.domain import metric
from glideslope.domain.ids import WHOLE
from glideslope.domain.metric import Dimension
from glideslope.domain.receipt import NO_SLICE
from glideslope.engine import log_desk

TWO = (Dimension("origin", ("EWR", "JFK")), Dimension("carrier", ("AA", "UA")))


@pytest.mark.parametrize("crosses", [(), (("origin", "carrier"),), (("carrier", "origin"),)])
def test_both_ways_give_the_same_slices(crosses: tuple[tuple[str, str], ...]) -> None:
    for origin, carrier in product(("EWR", "JFK", "BOS", None), ("AA", "UA", "B6", None)):
        said = {name: value for name, value in (("origin", origin), ("carrier", carrier)) if value is not None}
        places = [d.values.index(said[d.field]) if said.get(d.field) in d.values else NO_SLICE for d in TWO]
        text = "{" + ",".join(f'"{name}":"{value}"' for name, value in said.items()) + "}"

        assert log_desk.members_of(TWO, crosses, text) == (WHOLE, *metric.slices_of(TWO, crosses, places))
