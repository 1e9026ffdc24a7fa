"""The token source, on a clock of the test's own."""

import threading
import unittest
from concurrent.futures import ThreadPoolExecutor

from google.protobuf.duration_pb2 import Duration

from qscope.v1.token_pb2 import IssuedToken
from qscope_client.token_source import TokenSource

LIFETIME = 3_600
WAIT = 10


class RefusedError(Exception):
    """What a mint raises here."""


class Minting:
    """Mints numbered tokens, as soon as it is let."""

    def __init__(self) -> None:
        """Start at nought, with the gate open."""
        self.now = 0.0
        self.minted = 0
        self.fails = False
        self.gate = threading.Event()
        self.gate.set()
        self.source = TokenSource(self._mint, lambda: self.now)

    def _mint(self) -> IssuedToken:
        self.gate.wait(WAIT)
        self.minted += 1
        if self.fails:
            raise RefusedError
        return IssuedToken(access_token=f"token {self.minted}", expires_in=Duration(seconds=LIFETIME))

    def token(self) -> str:
        """Ask as a caller does."""
        return self.source.token(WAIT).access_token

    def settle(self) -> None:
        """Wait for the renewal under way, if any."""
        for thread in threading.enumerate():
            if thread.name == "qscope-token-source":
                thread.join(WAIT)


class TokenSourceTest(unittest.TestCase):
    """A token that is used until shortly before it ends."""

    def setUp(self) -> None:
        """Begin with nothing minted."""
        self.minting = Minting()

    def test_concurrent_callers_share_one_mint(self) -> None:
        """However many ask before there is a token."""
        self.minting.gate.clear()
        with ThreadPoolExecutor(50) as callers:
            asked = [callers.submit(self.minting.token) for _ in range(50)]
            self.minting.gate.set()
            self.assertEqual({each.result(WAIT) for each in asked}, {"token 1"})
        self.assertEqual(self.minting.minted, 1)

    def test_a_token_is_renewed_ahead_of_its_end_while_callers_go_on_with_it(self) -> None:
        """Nobody waits for a renewal."""
        self.minting.token()
        self.minting.now = LIFETIME * 3 / 4 - 1
        self.minting.token()
        self.minting.settle()
        self.assertEqual(self.minting.minted, 1)
        self.minting.gate.clear()
        self.minting.now = LIFETIME * 7 / 8
        self.assertEqual([self.minting.token(), self.minting.token()], ["token 1", "token 1"])
        self.minting.gate.set()
        self.minting.settle()
        self.assertEqual(self.minting.token(), "token 2")
        self.assertEqual(self.minting.minted, 2)

    def test_a_renewal_that_fails_leaves_the_token_in_use_and_is_tried_again_later(self) -> None:
        """An error reaches callers only when there is no token left."""
        self.minting.token()
        self.minting.fails = True
        self.minting.now = LIFETIME * 7 / 8
        for _ in range(5):
            self.assertEqual(self.minting.token(), "token 1")
            self.minting.settle()
        self.assertEqual(self.minting.minted, 2)
        self.minting.now += 1
        self.minting.token()
        self.minting.settle()
        self.assertEqual(self.minting.minted, 3)
        self.minting.now = LIFETIME
        with self.assertRaises(RefusedError):
            self.minting.token()
        self.minting.fails = False
        self.assertEqual(self.minting.token(), "token 5")

    def test_a_caller_who_gives_up_leaves_the_mint_to_the_others(self) -> None:
        """A time-out is its caller's alone."""
        self.minting.gate.clear()
        with self.assertRaises(TimeoutError):
            self.minting.source.token(0.01)
        self.minting.gate.set()
        self.assertEqual(self.minting.token(), "token 1")

    def test_a_discarded_token_is_replaced_and_any_other_stays(self) -> None:
        """Only who knows the token can drop it."""
        self.minting.token()
        self.minting.source.discard("another")
        self.assertEqual(self.minting.token(), "token 1")
        self.minting.source.discard("token 1")
        self.assertEqual(self.minting.token(), "token 2")
