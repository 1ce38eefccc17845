"""Passkeys by WebAuthn, checked by py_webauthn; which is loaded when the first one is asked for.

No attestation is asked for: which brand of device somebody has is none of our business. User verification always is.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from glideslope.domain.account import Account, Passkey
from glideslope.domain.errors import SignInRefused

NAME: Final = "Glideslope"
PATIENCE: Final = 300_000
"""Milliseconds that a person may take."""
LONGEST_NAME: Final = 64


class WebAuthn:
    """Keeps the port Authenticators."""

    def creation(self, account: Account, *, site: str, challenge: bytes) -> str:
        import webauthn
        from webauthn.helpers import structs

        options = webauthn.generate_registration_options(
            rp_id=site,
            rp_name=NAME,
            user_name=account.actor,
            user_id=account.handle,
            user_display_name=account.actor,
            challenge=challenge,
            timeout=PATIENCE,
            attestation=structs.AttestationConveyancePreference.NONE,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.REQUIRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=key.id) for key in account.passkeys],
        )
        return str(webauthn.options_to_json(options))

    def created(self, answer: str, *, challenge: bytes, site: str, origin: str, name: str, at: datetime) -> Passkey:
        import webauthn

        try:
            made = webauthn.verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=site,
                expected_origin=origin,
                require_user_verification=True,
            )
        except Exception as error:  # its own errors, and those of decoders beneath it, which it does not list
            raise SignInRefused("this passkey") from error
        label = "".join(sign for sign in name if sign.isprintable()).strip()[:LONGEST_NAME]
        return Passkey(
            id=made.credential_id,
            key=made.credential_public_key,
            site=site,
            count=made.sign_count,
            name=label or "passkey",
            added_at=at,
        )

    def request(self, *, site: str, challenge: bytes, passkeys: Sequence[Passkey] = ()) -> str:
        import webauthn
        from webauthn.helpers import structs

        options = webauthn.generate_authentication_options(
            rp_id=site,
            challenge=challenge,
            timeout=PATIENCE,
            allow_credentials=[structs.PublicKeyCredentialDescriptor(id=key.id) for key in passkeys],
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )
        return str(webauthn.options_to_json(options))

    def named(self, answer: str) -> tuple[bytes, bytes]:
        from webauthn.helpers import base64url_to_bytes

        try:
            told: Any = json.loads(answer)
            client = json.loads(base64url_to_bytes(told["response"]["clientDataJSON"]))
            return base64url_to_bytes(told["rawId"]), base64url_to_bytes(client["challenge"])
        except (ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
            raise SignInRefused("this passkey") from error

    def asserted(self, answer: str, passkey: Passkey, *, challenge: bytes, site: str, origin: str) -> int:
        import webauthn

        try:
            signed = webauthn.verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=site,
                expected_origin=origin,
                credential_public_key=passkey.key,
                # Whether it counted further is decided under the lock, where two at once cannot both be first.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except Exception as error:  # as above
            raise SignInRefused("this passkey") from error
        return int(signed.new_sign_count)
