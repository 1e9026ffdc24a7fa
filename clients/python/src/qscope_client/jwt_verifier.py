"""Offline verification of JWT access tokens (RFC 9068 §4)."""

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Iterable

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from google.protobuf.json_format import MessageToDict
from jwt.exceptions import InvalidTokenError

from qscope.v1.token_service_pb2 import GetJsonWebKeySetRequest
from qscope.v1.token_service_pb2_grpc import TokenServiceStub
from qscope_client.access_claims import AccessClaims
from qscope_client.signed_token import MalformedTokenError, SignedToken, read_signed_token

#: Seconds; so far ahead of this machine's clock may be what issued a token: QScope's own tolerance. After its ``exp``
#: no token is taken.
_CLOCK_SKEW = 60
_DEADLINE = 10
#: Seconds; keeps tokens with invented key ids from making a call each.
_LEAST_AGE = 10
#: RFC 7518 §3.3.
_LEAST_RSA_BITS = 2_048


class InsufficientScopeError(Exception):
    """A good token that lacks a scope (RFC 6750 §3.1, ``insufficient_scope``)."""


def certificate_thumbprint(der: bytes) -> str:
    """Return ``x5t#S256`` of a certificate in DER (RFC 8705 §3.1), such as ``SSLSocket.getpeercert(True)`` gives."""
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode("ascii")


class JwtVerifier:
    """
    Verifies JWT access tokens of one issuer for one audience with the server's key set, without a call for each.

    It does not see that a token was revoked: that is what VerifyToken is for.
    """

    def __init__(
        self, tokens: TokenServiceStub, issuer: str, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        """Take the stub that the key set is fetched with, and the clock that times are judged by."""
        self._tokens = tokens
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._max_age = 0.0

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
        self._check_signature(signed)
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

    def _check_signature(self, signed: SignedToken) -> None:
        key = self._key(signed.key_id)
        # The algorithm is the key's, not the token's to choose.
        if key is None or key.algorithm_name != signed.algorithm:
            message = "no key of the key set fits the token"
            raise InvalidTokenError(message)
        if isinstance(key.key, RSAPublicKey) and key.key.key_size < _LEAST_RSA_BITS:
            message = "the key of the token is too short"
            raise InvalidTokenError(message)
        if not key.Algorithm.verify(signed.signed, key.key, signed.signature):
            message = "the signature is not of the key"
            raise InvalidTokenError(message)

    def _key(self, kid: str) -> jwt.PyJWK | None:
        with self._lock:
            age = time.monotonic() - self._fetched_at
            if age > self._max_age or (kid not in self._keys and age > _LEAST_AGE):
                self._fetch()
            return self._keys.get(kid)

    def _fetch(self) -> None:
        answer = self._tokens.GetJsonWebKeySet(GetJsonWebKeySetRequest(), timeout=_DEADLINE)
        # The answer's JSON is a JSON Web Key Set as it stands.
        keys = jwt.PyJWKSet.from_dict(MessageToDict(answer)).keys
        self._keys = {key.key_id: key for key in keys if key.key_id is not None}
        self._fetched_at = time.monotonic()
        self._max_age = answer.max_age.ToTimedelta().total_seconds()


__all__ = ["InsufficientScopeError", "InvalidTokenError", "JwtVerifier", "certificate_thumbprint"]
