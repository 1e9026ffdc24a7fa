"""Polling that goes wrong, and that ends."""

import threading
import time
import unittest

import grpc
from scripted_server import UNAVAILABLE, WAIT, Call, ScriptedServer, StatusError

from qscope.v1.token_service_pb2 import PollRevocationsResponse, Revocation
from qscope_client import CachingVerifier, ResourceServer, with_secret

#: Seconds.
RETRY_AFTER = 0.5


def answer(cursor: str, *keys: bytes) -> PollRevocationsResponse:
    """Return an answer after which there is no more."""
    return PollRevocationsResponse(next_cursor=cursor, revocations=[Revocation(key=key) for key in keys])


class RevocationPollerTest(unittest.TestCase):
    """A verifier on the clocks of this machine."""

    def setUp(self) -> None:
        """Start it, and answer its first poll."""
        self.server = ScriptedServer(None)
        self.failures: list[Exception] = []
        resource_server = ResourceServer(self.server, client=with_secret("warehouse", "secret"))
        self.verifier = CachingVerifier(resource_server, on_poll_failure=self.note)
        self.addCleanup(self.verifier.close)
        self.next_poll().answer.set_result(answer("c1"))
        self.assertTrue(self.verifier.wait_until_current(WAIT))

    def note(self, failure: Exception) -> None:
        """Fail, too: that is not to end the polling."""
        self.failures.append(failure)
        raise failure

    def next_poll(self) -> Call:
        """Wait for a poll."""
        return self.server.PollRevocations.waiting.get(timeout=WAIT)

    def test_polls_go_on_after_failures_which_are_told(self) -> None:
        """Whatever the listener does."""
        with self.assertLogs("qscope_client", "ERROR"):
            for _ in range(3):
                self.next_poll().answer.set_exception(UNAVAILABLE)
            poll = self.next_poll()
        self.assertEqual(poll.request.cursor, "c1")
        self.assertEqual(self.failures, [UNAVAILABLE] * 3)
        self.assertTrue(self.verifier.is_current)

    def test_a_cursor_that_the_server_does_not_take_is_given_up(self) -> None:
        """With all that rests on it."""
        with self.assertLogs("qscope_client", "ERROR"):
            self.next_poll().answer.set_exception(StatusError(grpc.StatusCode.INVALID_ARGUMENT))
            poll = self.next_poll()
        self.assertEqual(poll.request.WhichOneof("from"), "start")
        self.assertFalse(self.verifier.is_current)

    def test_an_answer_that_breaks_the_contract_ends_the_run(self) -> None:
        """The polls begin anew."""
        with self.assertLogs("qscope_client", "ERROR"):
            self.next_poll().answer.set_result(answer("c2", b"too short"))
            poll = self.next_poll()
        self.assertEqual(poll.request.WhichOneof("from"), "start")
        self.assertFalse(self.verifier.is_current)

    def test_the_server_says_when_to_come_again(self) -> None:
        """Where the library's own pause would be shorter."""
        limited = StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED", retry_after=RETRY_AFTER)
        with self.assertLogs("qscope_client", "ERROR"):
            poll = self.next_poll()
            began = time.monotonic()
            poll.answer.set_exception(limited)
            self.next_poll()
        self.assertGreaterEqual(time.monotonic() - began, RETRY_AFTER)

    def test_close_ends_the_call_and_the_thread(self) -> None:
        """And may be called again."""
        poll = self.next_poll()
        self.verifier.close()
        self.assertTrue(poll.answer.cancelled())
        self.assertNotIn("qscope-revocations", [thread.name for thread in threading.enumerate()])
        self.verifier.close()
        self.assertEqual(self.failures, [])
