"""Tokens of a client that is proved by the token of its platform."""

from pathlib import Path

from qscope.v1.token_pb2 import IssuedToken
from qscope.v1.token_service_pb2 import MintTokenRequest
from qscope.v1.token_service_pb2_grpc import TokenServiceStub
from qscope_client.authentication import with_assertion_file
from qscope_client.token_source import TokenSource

# Seconds for one attempt to mint.
_TIMEOUT = 10.0


def federated_token_source(
    tokens: TokenServiceStub,
    client_id: str,
    assertion_file: str | Path,
    request: MintTokenRequest | None = None,
    *,
    timeout: float = _TIMEOUT,
) -> TokenSource:
    """
    Mint for a FEDERATED_JWT client with the token that its platform puts into a file (RFC 7523 §2.2).

    The file is read for each mint, because the platform replaces the token. The request says which scopes, audiences
    and lifetime are wanted; its client is not used. The timeout, in seconds, is that of one attempt.
    """

    def mint() -> IssuedToken:
        proved = MintTokenRequest()
        if request is not None:
            proved.CopyFrom(request)
        proved.client.CopyFrom(with_assertion_file(client_id, assertion_file))
        return tokens.MintToken(proved, timeout=timeout).token

    return TokenSource(mint)
