"""Tokens as the credentials of calls."""

from concurrent.futures import Future

import grpc

from qscope.v1.token_pb2 import IssuedToken
from qscope_client.token_source import TokenSource


class _BearerToken(grpc.AuthMetadataPlugin):  # type: ignore[misc]
    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def __call__(self, _context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        def answer(token: Future[IssuedToken]) -> None:
            error = token.exception()
            if error is not None:
                callback((), error)
                return
            issued = token.result()
            callback((("authorization", f"{issued.token_type} {issued.access_token}"),), None)

        # gRPC's own thread is not kept waiting.
        self._source.future().add_done_callback(answer)


def bearer_token(source: TokenSource) -> grpc.CallCredentials:
    """Return credentials that put the source's token on a call; gRPC keeps them off connections without TLS."""
    return grpc.metadata_call_credentials(_BearerToken(source))
