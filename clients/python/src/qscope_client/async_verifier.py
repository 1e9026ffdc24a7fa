"""Verification for coroutines."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from qscope_client.caching_verifier import CachingVerifier
from qscope_client.verified_token import VerifiedToken


class TokenVerifier(Protocol):
    """Judges access tokens: a ``CachingVerifier``, from memory, or an ``OnlineVerifier``, which asks about each."""

    def verify(
        self,
        token: str,
        *,
        audience: str | None,
        certificate_thumbprint: str | None = None,
        required_scopes: Iterable[str] = (),
    ) -> VerifiedToken:
        """Return what a valid token says; raise as ``CachingVerifier.verify``."""


class AsyncVerifier:
    """
    A verifier for coroutines of asyncio.

    What is known is answered at once, on the event loop. Where a signature is to be checked or the server to be asked,
    that is done in a thread (``asyncio.to_thread``). The verifier itself stays its owner's, who closes it.
    """

    def __init__(self, verifier: TokenVerifier) -> None:
        """Take the verifier that threads use."""
        self._verifier = verifier

    async def verify(
        self,
        token: str,
        *,
        audience: str | None,
        certificate_thumbprint: str | None = None,
        required_scopes: Iterable[str] = (),
    ) -> VerifiedToken:
        """Return what a valid token says; raise as ``CachingVerifier.verify``."""
        scopes = tuple(required_scopes)
        if isinstance(self._verifier, CachingVerifier):
            recalled = self._verifier.recall(
                token, audience=audience, certificate_thumbprint=certificate_thumbprint, required_scopes=scopes
            )
            if recalled is not None:
                return recalled
        return await asyncio.to_thread(
            self._verifier.verify,
            token,
            audience=audience,
            certificate_thumbprint=certificate_thumbprint,
            required_scopes=scopes,
        )
