"""Hands one mail to a mail server by SMTP (RFC 5321), with STARTTLS or TLS, and a login if there is one.

Written out, since the standard library's client blocks: a server that sends a byte a minute would hold one of few threads for ever.
"""

import asyncio
import base64
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from glideslope.adapters.notifiers.connecting import Unreached, connect, trusting
from glideslope.domain.telling.standing import Delivered, Failed, Outcome

PATIENCE: Final = 25.0
"""Seconds for all of it."""
MOST_LINES: Final = 100


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server, and who we are there. `security` is `starttls`, `tls` or `none`."""

    host: str
    port: int
    security: str
    user: str = ""
    password: str = ""
    private: bool = False


class Refused(Exception):
    """The server said no."""

    def __init__(self, code: int, during: str) -> None:
        super().__init__(f"the mail server said {code} to {during}")
        # 4xx is about the moment, 5xx about the mail (RFC 5321, section 4.2.1).
        self.lasting = code >= 500


async def send(
    server: Server, mail: bytes, *, sender: str, to: Sequence[str], tls: ssl.SSLContext | None = None
) -> Outcome:
    """Hand over a mail for all of `to` that the server takes. `tls` is what is trusted, else the system's. Never raises."""
    try:
        async with asyncio.timeout(PATIENCE):
            refused = await _converse(server, mail, sender=sender, to=to, tls=tls or trusting())
    except TimeoutError:
        return Failed(why=f"the mail server did not finish within {PATIENCE:g} s")
    except Unreached as error:
        return Failed(why=str(error))
    except Refused as error:
        return Failed(why=str(error), refused=error.lasting)
    except ssl.SSLCertVerificationError as error:
        return Failed(why=f"the certificate of {server.host} is not trusted: {error.verify_message}")
    except (OSError, EOFError, ValueError) as error:
        return Failed(why=f"the connection to the mail server broke ({type(error).__name__})")
    taken = len(to) - refused
    return Delivered(how=f"taken for {taken} of {len(to)}" if refused else f"taken for {taken}")


async def _converse(server: Server, mail: bytes, *, sender: str, to: Sequence[str], tls: ssl.SSLContext) -> int:
    """Go through the whole conversation, and return how many of `to` were refused. Raises Refused, Unreached, OSError."""
    direct = tls if server.security == "tls" else None
    reader, writer = await connect(server.host, server.port, tls=direct, private=server.private)
    line = _Line(reader, writer)
    try:
        await line.expect("its greeting", 220)
        features = await line.hello()
        if server.security == "starttls":
            if "STARTTLS" not in features:
                raise Unreached(f"{server.host} offers no STARTTLS; nothing was sent in the clear")
            await line.ask("STARTTLS", 220)
            await writer.start_tls(tls, server_hostname=server.host)
            features = await line.hello()
        if server.user:
            if server.security == "none" and not server.private:
                raise Unreached("a password goes nowhere in the clear")
            await line.log_in(server, features)
        await line.ask(f"MAIL FROM:<{sender}>", 250)
        refusals = [answer for each in to if (answer := await line.tell(f"RCPT TO:<{each}>"))[0] not in (250, 251)]
        if len(refusals) == len(to):
            raise Refused(refusals[0][0], "RCPT")
        await line.ask("DATA", 354)
        # A line that is a dot alone would end it (RFC 5321, section 4.5.2).
        stuffed = b"\r\n".join(b"." + each if each.startswith(b".") else each for each in mail.split(b"\r\n"))
        writer.write(stuffed.removesuffix(b"\r\n") + b"\r\n.\r\n")
        await writer.drain()
        await line.expect("the mail", 250)
        writer.write(b"QUIT\r\n")
        return len(refusals)
    finally:
        writer.transport.abort()  # at once: a peer may let us wait for the end of TLS


class _Line:
    """The two sides of a conversation."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def hello(self) -> dict[str, str]:
        """Introduce ourselves, and return what the server can do."""
        said = await self.ask("EHLO glideslope.invalid", 250)
        words = (each.upper().partition(" ") for each in said[1:])
        return {name: rest for name, _, rest in words}

    async def log_in(self, server: Server, features: dict[str, str]) -> None:
        """Log in by PLAIN, else by LOGIN. Raises Refused, Unreached."""
        ways = features.get("AUTH", "").split()
        if "PLAIN" in ways:
            await self.ask(f"AUTH PLAIN {_base64(f'{chr(0)}{server.user}{chr(0)}{server.password}')}", 235, as_="AUTH")
        elif "LOGIN" in ways:
            await self.ask("AUTH LOGIN", 334)
            await self.ask(_base64(server.user), 334, as_="AUTH")
            await self.ask(_base64(server.password), 235, as_="AUTH")
        else:
            raise Unreached(f"{server.host} takes no login by PLAIN or LOGIN")

    async def ask(self, command: str, expected: int, *, as_: str = "") -> list[str]:
        """Say a command, and return the lines of an answer that is as expected. `as_` is its name where it holds a secret."""
        code, said = await self.tell(command)
        if code != expected:
            raise Refused(code, as_ or command.partition(" ")[0])
        return said

    async def expect(self, during: str, expected: int) -> None:
        """Hear an answer that nobody asked for, or that comes late."""
        code, _ = await self._hear()
        if code != expected:
            raise Refused(code, during)

    async def tell(self, command: str) -> tuple[int, list[str]]:
        """Say a command, and return the answer."""
        if "\r" in command or "\n" in command:
            raise ValueError(command)
        self._writer.write(command.encode() + b"\r\n")
        await self._writer.drain()
        return await self._hear()

    async def _hear(self) -> tuple[int, list[str]]:
        said: list[str] = []
        for _ in range(MOST_LINES):
            text = (await self._reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
            if len(text) < 3 or not text[:3].isdecimal():
                raise EOFError
            said.append(text[4:])
            if text[3:4] != "-":
                return int(text[:3]), said
        raise ValueError(MOST_LINES)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
