"""What a resource server asks."""

from collections.abc import Callable
from typing import Any

import grpc
from jwt.exceptions import InvalidTokenError

from qscope.v1.client_authentication_pb2 import ClientAuthentication
from qscope.v1.token_pb2 import TokenUse
from qscope.v1.token_service_pb2 import PollRevocationsRequest, VerifyTokenRequest
from qscope.v1.token_service_pb2_grpc import TokenServiceStub
from qscope_client.refusal import Refusal
from qscope_client.remedy import Remedy
from qscope_client.revocation_log import REVOCATION_KEY_BYTES
from qscope_client.verified_token import VerifiedToken

_DEADLINE = 5

#: How a client proves itself in each request; a function where each proof is good once, such as a client assertion.
ClientProof = ClientAuthentication | Callable[[], ClientAuthentication]


class ResourceServer:
    """The calls of one resource server, which are all made with one credential."""

    def __init__(
        self,
        tokens: TokenServiceStub,
        *,
        client: ClientProof | None = None,
        credentials: grpc.CallCredentials | None = None,
    ) -> None:
        """Take the client, or the credentials of a bearer with ``qscope:tokens.read``."""
        self.tokens = tokens
        self._client = client
        self._credentials = credentials

    def verify(self, token: str, certificate_thumbprint: str | None) -> tuple[VerifiedToken, tuple[bytes, ...]]:
        """
        Return what a valid access token says, and its revocation keys: none where they cannot be relied on.

        Audience and scopes are not judged, so that the answer serves every use of the token. Raises
        ``InvalidTokenError`` and ``grpc.RpcError``.
        """
        request = VerifyTokenRequest(
            client=self._proof(), token=token, presented_certificate_sha256=certificate_thumbprint
        )
        try:
            claims = self.tokens.VerifyToken(request, **self._options(_DEADLINE)).claims
        except grpc.RpcError as error:
            if Refusal.of(error).remedy is Remedy.REJECT_BEARER:
                message = "it is unknown, has expired, was revoked or is not its bearer's"
                raise InvalidTokenError(message) from error
            raise
        if claims.token_use != TokenUse.TOKEN_USE_ACCESS:
            message = "it is no access token"
            raise InvalidTokenError(message)
        keys = tuple(claims.revocation_keys)
        return VerifiedToken.of_answer(claims), keys if all(len(key) == REVOCATION_KEY_BYTES for key in keys) else ()

    def poll(self, request: PollRevocationsRequest, timeout: float) -> grpc.Future:
        """Send a poll."""
        proof = self._proof()
        if proof is not None:
            request.client.CopyFrom(proof)
        return self.tokens.PollRevocations.future(request, **self._options(timeout))

    def _proof(self) -> ClientAuthentication | None:
        return self._client() if callable(self._client) else self._client

    def _options(self, timeout: float) -> dict[str, Any]:
        return {"timeout": timeout, "credentials": self._credentials}
