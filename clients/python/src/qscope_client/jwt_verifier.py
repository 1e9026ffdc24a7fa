"""Offline verification of JWT access tokens (RFC 9068 §4)."""

import base64
import hashlib
import time
from collections.abc import Callable, Iterable

from jwt.exceptions import InvalidTokenError

from qscope.v1.token_service_pb2_grpc import TokenServiceStub
from qscope_client.access_claims import AccessClaims
from qscope_client.key_set import KeySet
from qscope_client.signed_token import MalformedTokenError, read_signed_token

#: Seconds; so far ahead of this machine's clock may be what issued a token: QScope's own tolerance. After its ``exp``
#: no token is taken.
_CLOCK_SKEW = 60


class InsufficientScopeError(Exception):
    """A good token that lacks a scope (RFC 6750 §3.1, ``insufficient_scope``)."""


def certificate_thumbprint(der: bytes) -> str:
    """Return ``x5t#S256`` of a certificate in DER (RFC 8705 §3.1), such as ``SSLSocket.getpeercert(True)`` gives."""
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode("ascii")


class JwtVerifier:
    """
    Verifies JWT access tokens of one issuer for one audience with the server's key set, without a call for each.

    It does not see that a token was revoked: that is what VerifyToken and ``CachingVerifier`` are for.
    """

    def __init__(
        self, tokens: TokenServiceStub, issuer: str, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        """Take the stub that the key set is fetched with, and the clock that times are judged by."""
        self._keys = KeySet(tokens)
        self._issuer = issuer
        self._audience = audience
        self._clock = clock

    def verify(
        self, token: str, *, certificate_thumbprint: str | None = None, required_scopes: Iterable[str] = ()
    ) -> AccessClaims:
        """
        Return what a valid token says. Raises ``InvalidTokenError`` or ``InsufficientScopeError``.

        ``certificate_thumbprint`` is of the certificate that the bearer showed in the TLS handshake. Without it a token
        that is bound to one is refused.
        """
        try:
            signed = read_signed_token(token)
            claims = AccessClaims(signed.claims)
        except MalformedTokenError as error:
            raise InvalidTokenError(str(error)) from error
        self._judge(claims, certificate_thumbprint)
        self._keys.check_signature(signed)
        lacking = [scope for scope in required_scopes if scope not in claims.scopes]
        if lacking:
            message = f"the token lacks {' '.join(lacking)}"
            raise InsufficientScopeError(message)
        return claims

    def _judge(self, claims: AccessClaims, shown: str | None) -> None:
        """Compare what a token says with whom, when and how it was presented to."""
        now = self._clock()
        latest = now + _CLOCK_SKEW
        bound = claims.certificate_thumbprint
        wrong = {
            "it is of another issuer": claims["iss"] != self._issuer,
            "it is for another audience": self._audience not in claims.audiences,
            "it has expired": now >= claims.expire_time,
            "its time has not come": max(claims.issue_time, claims.not_before or 0) > latest,
            "it is bound to a certificate that was not shown": bound is not None and bound != shown,
        }
        for what, is_so in wrong.items():
            if is_so:
                raise InvalidTokenError(what)


__all__ = ["InsufficientScopeError", "InvalidTokenError", "JwtVerifier", "certificate_thumbprint"]
