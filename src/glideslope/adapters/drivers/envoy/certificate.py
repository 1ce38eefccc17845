"""What the gateway shows to callers who speak TLS: one document for Envoy, with the certificate and its key in it.

Two files can be seen when only one has been replaced; one document cannot. It is a secret, as the key is.
"""

import json
from pathlib import Path

from glideslope.adapters.certificates import read_pair
from glideslope.adapters.drivers.envoy.bootstrap import CERTIFICATE
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.adapters.secret_file import write_secret
from glideslope.domain.errors import DriverUnavailable, StoreUnavailable


def publish(home: Folder, cert: Path, key: Path) -> bool:
    """Write the document if it is another one, and tell whether. Raises CertificateUnusable, DriverUnavailable."""
    pair = read_pair(cert, key)
    secret = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": CERTIFICATE,
        "tls_certificate": {
            "certificate_chain": {"inline_string": pair.chain.decode()},
            "private_key": {"inline_string": pair.key.decode()},
        },
    }
    content = json.dumps({"resources": [secret]}).encode()
    try:
        if home.certificate.exists() and home.certificate.read_bytes() == content:
            return False
        write_secret(home.certificate, content)
    except (OSError, StoreUnavailable) as error:
        raise DriverUnavailable(driver="envoy", why=f"{home.certificate} cannot be written: {error}") from error
    return True
