"""JWT access tokens that are proved by the server's keys alone."""

import base64
import re
from dataclasses import dataclass

from jwt.exceptions import InvalidTokenError

from qscope_client.access_claims import AccessClaims
from qscope_client.key_set import KeySet
from qscope_client.signed_token import MalformedTokenError, read_signed_token
from qscope_client.verified_token import VerifiedToken

#: Seconds; so far ahead of this machine's clock may be what issued a token: QScope's own tolerance.
_CLOCK_SKEW = 60
#: 16 bytes.
_REVOCATION_KEY = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]")
_MOST_KEYS = 32


@dataclass(frozen=True, slots=True)
class ProvedJwt:
    """A JWT of the issuer. Whether it was revoked, whom it is for, and its times are not judged."""

    token: VerifiedToken
    #: Everything that may end it, its signing key included; empty: that is not known, and the server has to be asked.
    revocation_keys: tuple[bytes, ...]
    #: From when on it is good, with the tolerance for clocks, in seconds since 1970.
    earliest: float


class JwtReader:
    """Reads JWTs of one issuer."""

    def __init__(self, keys: KeySet, issuer: str) -> None:
        """Take the issuer's keys and its name, to the letter."""
        self._keys = keys
        self._issuer = issuer

    def read(self, token: str) -> ProvedJwt:
        """Return what a JWT says. Raises ``InvalidTokenError`` and, without the keys, ``grpc.RpcError``."""
        try:
            signed = read_signed_token(token)
            claims = AccessClaims(signed.claims)
        except MalformedTokenError as error:
            raise InvalidTokenError(str(error)) from error
        if claims["iss"] != self._issuer:
            message = "it is of another issuer"
            raise InvalidTokenError(message)
        self._keys.check_signature(signed)
        signing_key = self._keys.revocation_key(signed.key_id)
        own = _revocation_keys(claims.get("rvk"))
        keys = (*own, signing_key) if own and signing_key else ()
        earliest = max(claims.issue_time, claims.not_before or 0) - _CLOCK_SKEW
        return ProvedJwt(VerifiedToken.of_jwt(claims), keys, earliest)


def _revocation_keys(rvk: object) -> tuple[bytes, ...]:
    """Return the keys of a claim; none of one that cannot be relied on."""
    if not isinstance(rvk, list) or len(rvk) > _MOST_KEYS:
        return ()
    if not all(isinstance(key, str) and _REVOCATION_KEY.fullmatch(key) for key in rvk):
        return ()
    return tuple(base64.urlsafe_b64decode(key + "==") for key in rvk)
