"""OpenID providers to sign in by: one that somebody else wrote, and one that tells whatever a test makes it tell."""

import base64
import hmac
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT = "glideslope"


class FalseProvider:
    """Answers at `issuer`. What is in `metadata` and `claims` replaces what an honest one would say; None takes it away."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", parameters={"kid": "one", "use": "sig"})
        self.stranger = ECKey.generate_key("P-256", parameters={"kid": "one"})
        self.metadata: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.sign: Any = self.honestly
        self.codes: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.token_status = 200
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                body = provider.keys() if self.path == "/jwks" else provider.about()
                self.say(200, body)

            def do_POST(self) -> None:
                provider.asked.append(self.path)
                fields = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                said = provider.codes.pop(fields["code"][0], None)
                if said is None or provider.token_status != 200:
                    self.say(400, {"error": "invalid_grant"})
                    return
                assert fields["code_verifier"][0], "PKCE"
                token = provider.sign({**said, **{k: v for k, v in provider.claims.items() if v is not None}})
                self.say(200, {"access_token": "a", "token_type": "Bearer", "id_token": token})

            def say(self, status: int, body: object) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base names it
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def about(self) -> dict[str, Any]:
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/logout",
            **self.metadata,
        }
        return {name: value for name, value in told.items() if value is not None}

    def keys(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False), {"kty": "oct", "k": "AAAA"}, {"kty": "unheard"}]}

    def code(self, nonce: str, now: float, sub: str = "id-of-grace", **more: Any) -> str:
        """Return the code of somebody who signed in here, as an honest provider would vouch for them."""
        code = f"code-{len(self.codes)}-{nonce[-6:]}"
        said = {"iss": self.issuer, "aud": CLIENT, "sub": sub, "iat": int(now), "exp": int(now) + 300, "nonce": nonce}
        said.update(more)
        self.codes[code] = {name: value for name, value in said.items() if name not in self._taken()}
        return code

    def _taken(self) -> set[str]:
        return {name for name, value in self.claims.items() if value is None}

    def honestly(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "ES256", "kid": "one"}, claims, self.key)

    def by_a_stranger(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "ES256", "kid": "one"}, claims, self.stranger)

    def unsigned(self, claims: dict[str, Any]) -> str:
        """`alg: none`, as RFC 7519 has it for those who trust anyway."""
        honest = self.honestly(claims)
        none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        return f"{none}.{honest.split('.')[1]}."

    def by_the_public_key(self, claims: dict[str, Any]) -> str:
        """HS256, with the published RSA key as the shared secret."""
        body = self.honestly(claims).split(".")[1]
        head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
        mac = hmac.digest(self.key.as_pem(private=False), f"{head}.{body}".encode(), "sha256")
        return f"{head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    def cut(self, claims: dict[str, Any]) -> str:
        return self.honestly(claims)[:-8]


@contextmanager
def a_real_provider(folder: Path) -> Iterator[str]:
    """Run oidc-provider-mock in a process of its own, with one person, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    person = '{"sub": "id-of-grace", "groups": ["auditors"]}'
    with (folder / "provider.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "oidc_provider_mock",
                "--port",
                str(port),
                "--require-nonce",
                "--user-claims",
                person,
            ],
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{address}/.well-known/openid-configuration")
                break
            except httpx.TransportError:
                assert process.poll() is None, (folder / "provider.log").read_text()
                time.sleep(0.05)
        yield address
    finally:
        process.kill()
        process.wait()
