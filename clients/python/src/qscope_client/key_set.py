"""The server's keys (``GetJsonWebKeySet``)."""

import base64
import threading

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from google.protobuf.json_format import MessageToDict
from jwt.exceptions import InvalidTokenError

from qscope.v1.token_service_pb2 import GetJsonWebKeySetRequest
from qscope.v1.token_service_pb2_grpc import TokenServiceStub
from qscope_client import elapsed_time
from qscope_client.elapsed_time import Clock, Moment
from qscope_client.signed_token import SignedToken

_DEADLINE = 10
#: Seconds; keeps tokens with invented key ids from making a call each.
_LEAST_AGE = 10
#: RFC 7518 §3.3.
_LEAST_RSA_BITS = 2_048


class UnknownKeyError(InvalidTokenError):
    """The key set lacks the key that a token names, which may be newer than the set."""


class KeySet:
    """Keeps the keys for as long as the server says. Safe for any number of threads."""

    def __init__(self, tokens: TokenServiceStub, clock: Clock = elapsed_time.now) -> None:
        """Take the stub that the keys are fetched with, when one is first looked for."""
        self._tokens = tokens
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._latest_failure: grpc.RpcError | None = None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._revocation_keys: dict[str, str] = {}
        self._fetched_at = Moment(float("-inf"), float("-inf"))
        self._max_age = 0.0

    def check_signature(self, signed: SignedToken) -> None:
        """Raise ``InvalidTokenError`` unless a key of the set signed a token, ``grpc.RpcError`` without the set."""
        key = self._find(signed.key_id)
        if key is None:
            message = "the key set lacks the key of the token"
            raise UnknownKeyError(message)
        # The algorithm is the key's, not the token's to choose.
        if key.algorithm_name != signed.algorithm:
            message = "no key of the key set fits the token"
            raise InvalidTokenError(message)
        if isinstance(key.key, RSAPublicKey) and key.key.key_size < _LEAST_RSA_BITS:
            message = "the key of the token is too short"
            raise InvalidTokenError(message)
        if not key.Algorithm.verify(signed.signed, key.key, signed.signature):
            message = "the signature is not of the key"
            raise InvalidTokenError(message)

    def revocation_key(self, key_id: str) -> bytes | None:
        """
        Return what is told when a key of the set is revoked; ``None`` where the set has no such key.

        Raises ``grpc.RpcError`` without the set.
        """
        self._find(key_id)
        encoded = self._revocation_keys.get(key_id, "")
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)) or None

    def _find(self, key_id: str) -> jwt.PyJWK | None:
        failures = self._failures
        with self._lock:
            age = self._clock().since(self._fetched_at)
            if age > self._max_age or (key_id not in self._keys and age > _LEAST_AGE):
                # Who waited while they were fetched in vain does not wait as long once more.
                if self._latest_failure is not None and self._failures != failures:
                    raise self._latest_failure
                self._fetch()
            return self._keys.get(key_id)

    def _fetch(self) -> None:
        try:
            answer = self._tokens.GetJsonWebKeySet(GetJsonWebKeySetRequest(), timeout=_DEADLINE)
        except grpc.RpcError as error:
            self._latest_failure = error
            self._failures += 1
            raise
        # The answer's JSON is a JSON Web Key Set as it stands, unless it is empty.
        keys = jwt.PyJWKSet.from_dict(MessageToDict(answer)).keys if answer.keys else []
        self._keys = {key.key_id: key for key in keys if key.key_id is not None}
        self._revocation_keys = {key.kid: key.rvk for key in answer.keys}
        self._fetched_at = self._clock()
        self._max_age = answer.max_age.ToTimedelta().total_seconds()
