"""Who calls is asked of the tokens, and whether their time is over of the clock."""

from dataclasses import replace
from datetime import timedelta

import pytest

from glideslope.domain.errors import TokenExpired, TokenUnknown
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor
from glideslope.engine.app import App
from glideslope.testing.world import World


async def test_a_token_is_refused_from_its_end_on() -> None:
    world = World(seed=1)
    await world.start()
    now = world.clock.now()
    ends = {"later": now + timedelta(milliseconds=1), "now": now, "before": now - timedelta(days=1), "never": None}
    known = {name: Identity(Actor(name), Role.MEMBER, expires_at=end) for name, end in ends.items()}
    app = App(replace(world.app._world, identify=known.get), epoch=1)

    assert (app.identify("later").actor, app.identify("never").actor) == ("later", "never")
    for token in ("now", "before"):
        with pytest.raises(TokenExpired, match=token):
            app.identify(token)
    with pytest.raises(TokenUnknown):
        app.identify("nobody")
