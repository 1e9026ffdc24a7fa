"""Verification by asking the server about each token."""

from collections.abc import Iterable

from qscope_client.resource_server import ResourceServer
from qscope_client.token_use import check_spelling, judge_use
from qscope_client.verified_token import VerifiedToken


class OnlineVerifier:
    """Asks about each token, and keeps nothing: one that is revoked is refused from the next use on."""

    def __init__(self, server: ResourceServer) -> None:
        """Take the calls to make."""
        self._server = server

    def verify(
        self,
        token: str,
        *,
        audience: str | None,
        certificate_thumbprint: str | None = None,
        required_scopes: Iterable[str] = (),
    ) -> VerifiedToken:
        """
        Return what a valid token says.

        As ``CachingVerifier.verify``; ``grpc.RpcError`` means that nothing is known of the token.
        """
        check_spelling(token)
        verified, _ = self._server.verify(token, certificate_thumbprint)
        return judge_use(
            verified,
            audience=audience,
            certificate_thumbprint=certificate_thumbprint,
            required_scopes=required_scopes,
        )
