"""Revocations that race verifications in flight."""

import random
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from google.protobuf.timestamp_pb2 import Timestamp
from scripted_server import INVALID_TOKEN, WAIT, ScriptedServer

from qscope.v1.token_pb2 import TokenClaims, TokenUse
from qscope.v1.token_service_pb2 import PollRevocationsResponse, Revocation, VerifyTokenRequest, VerifyTokenResponse
from qscope_client import CacheLimits, CachingVerifier, InvalidTokenError, ResourceServer, with_secret

TOKENS = 8
CALLERS = 6
ROUNDS = 150
#: Seconds for which an answer is on its way, at most.
LATENCY = 0.002


def key_of(token: str) -> bytes:
    """Return the only revocation key of a token."""
    return token.encode("ascii").ljust(16, b"\0")


class RacingServer(ScriptedServer):
    """Knows which tokens are good, and says so a little later."""

    def __init__(self) -> None:
        """Begin with none revoked."""
        super().__init__(None)
        self.revoked: set[str] = set()

    def VerifyToken(self, request: VerifyTokenRequest, **_: object) -> VerifyTokenResponse:  # noqa: N802
        """Look, and let the answer be on its way."""
        is_revoked = request.token in self.revoked
        time.sleep(random.uniform(0, LATENCY))  # noqa: S311 - guards nothing
        if is_revoked:
            raise INVALID_TOKEN
        claims = TokenClaims(
            token_id=request.token,
            token_use=TokenUse.TOKEN_USE_ACCESS,
            expire_time=Timestamp(seconds=int(time.time()) + 3_600),
            revocation_keys=[key_of(request.token)],
        )
        return VerifyTokenResponse(claims=claims)


class CachingRacesTest(unittest.TestCase):
    """Threads that verify all the time."""

    def test_a_telling_is_obeyed_whatever_is_in_flight(self) -> None:
        """And a token that is good again is taken again."""
        server = RacingServer()
        tokens = [f"token-{number}" for number in range(TOKENS)]
        done = threading.Event()
        # Fewer places than tokens, so that answers come and go.
        limits = CacheLimits(max_answers=TOKENS - 2)
        with (
            mock.patch("qscope_client.revocation_poller._LEAST_PAUSE", 0),
            CachingVerifier(ResourceServer(server, client=with_secret("a", "b")), limits=limits) as verifier,
            ThreadPoolExecutor(CALLERS) as callers,
        ):

            def call() -> int:
                count = 0
                while not done.is_set():
                    is_good(verifier, random.choice(tokens))  # noqa: S311 - guards nothing
                    count += 1
                return count

            def tell(*keys: bytes) -> None:
                revocations = [Revocation(key=key) for key in keys]
                poll.answer.set_result(PollRevocationsResponse(next_cursor="c", revocations=revocations))

            poll = server.PollRevocations.waiting.get(timeout=WAIT)
            tell()
            calling = [callers.submit(call) for _ in range(CALLERS)]
            try:
                for number in range(ROUNDS):
                    token = tokens[number % TOKENS]
                    for is_revoked in (True, False):
                        (server.revoked.add if is_revoked else server.revoked.discard)(token)
                        poll = server.PollRevocations.waiting.get(timeout=WAIT)
                        tell(key_of(token))
                        # The next poll is sent when the telling was taken.
                        while server.PollRevocations.waiting.empty():
                            time.sleep(0)
                        self.assertEqual(is_good(verifier, token), not is_revoked)
            finally:
                done.set()
            counts = [each.result(WAIT) for each in calling]
        self.assertGreater(min(counts), 0)


def is_good(verifier: CachingVerifier, token: str) -> bool:
    """Verify a token."""
    try:
        verifier.verify(token, audience=None)
    except InvalidTokenError:
        return False
    return True
