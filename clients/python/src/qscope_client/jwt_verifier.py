"""Offline verification of JWT access tokens (RFC 9068 §4)."""

import threading
import time
from typing import Any

import jwt
from google.protobuf.json_format import MessageToDict
from jwt.exceptions import InvalidTokenError

from qscope.v1.token_service_pb2 import GetJsonWebKeySetRequest
from qscope.v1.token_service_pb2_grpc import TokenServiceStub

#: Those that QScope signs with; never ``none``, never a symmetric one.
_ALGORITHMS = ("ES256", "EdDSA", "RS256")
_CLOCK_SKEW = 30
_DEADLINE = 10
#: Seconds; keeps tokens with invented key ids from making a call each.
_LEAST_AGE = 10


class JwtVerifier:
    """
    Verifies JWT access tokens of one issuer for one audience with the server's key set, without a call for each.

    It does not see that a token was revoked: that is what VerifyToken is for.
    """

    def __init__(self, tokens: TokenServiceStub, issuer: str, audience: str) -> None:
        """Take the stub that the key set is fetched with."""
        self._tokens = tokens
        self._issuer = issuer
        self._audience = audience
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._max_age = 0.0

    def verify(self, token: str) -> dict[str, Any]:
        """Return what a valid token says. Raises ``InvalidTokenError``."""
        header = jwt.get_unverified_header(token)
        if header.get("typ") != "at+jwt":
            message = "not an access token: its typ is not at+jwt"
            raise InvalidTokenError(message)
        key = self._key(header.get("kid", ""))
        if key is None or key.algorithm_name != header["alg"]:
            message = "no key of the key set fits the token"
            raise InvalidTokenError(message)
        return jwt.decode(
            token,
            key,
            algorithms=list(_ALGORITHMS),
            issuer=self._issuer,
            audience=self._audience,
            leeway=_CLOCK_SKEW,
            options={"require": ["exp", "iat", "sub", "client_id", "jti"]},
        )

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


__all__ = ["InvalidTokenError", "JwtVerifier"]
