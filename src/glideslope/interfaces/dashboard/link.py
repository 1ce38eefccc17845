"""What the site answers to who asks for a link that signs in: shared with the command line, so it loads next to nothing."""

import msgspec


class SignInLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that signs its opener in once, as whoever asked for it."""

    path: str
    seconds: float
