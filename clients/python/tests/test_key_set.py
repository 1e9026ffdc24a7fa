"""The server's keys, fetched for many threads."""

import linecache
import sys
import threading
import unittest
from collections.abc import Callable

import grpc
from scripted_server import UNAVAILABLE, WAIT, ScriptedServer

from qscope.v1.token_service_pb2 import GetJsonWebKeySetRequest, GetJsonWebKeySetResponse
from qscope_client.key_set import KeySet


class FailingServer(ScriptedServer):
    """Takes its time to fail."""

    def __init__(self) -> None:
        """Begin with no calls."""
        super().__init__(None)
        self.calls = 0
        self.has_come = threading.Event()
        self.may_fail = threading.Event()

    def GetJsonWebKeySet(self, _request: GetJsonWebKeySetRequest, **_: object) -> GetJsonWebKeySetResponse:  # noqa: N802
        """Fail when it may."""
        self.calls += 1
        self.has_come.set()
        self.may_fail.wait(WAIT)
        raise UNAVAILABLE


class KeySetTest(unittest.TestCase):
    """Fetches that take long."""

    def test_who_waited_for_a_fetch_that_failed_does_not_wait_for_another(self) -> None:
        """But who comes later fetches the keys anew."""
        server = FailingServer()
        keys = KeySet(server)
        failures: list[Exception] = []

        def look() -> None:
            try:
                keys.revocation_key("any")
            except grpc.RpcError as error:
                failures.append(error)

        threads = [_started(look)]
        self.assertTrue(server.has_come.wait(WAIT))
        threads += [_started(look) for _ in range(3)]
        for thread in threads[1:]:
            _wait_until_locked_out(thread)
        server.may_fail.set()
        for thread in threads:
            thread.join(WAIT)
        self.assertEqual((len(failures), server.calls), (4, 1))
        look()
        self.assertEqual((len(failures), server.calls), (5, 2))


def _started(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def _wait_until_locked_out(thread: threading.Thread) -> None:
    """Return once a thread waits for the lock of the keys."""
    while thread.is_alive():
        frame = sys._current_frames().get(thread.ident or 0)
        if frame is not None and "with self._lock" in linecache.getline(frame.f_code.co_filename, frame.f_lineno):
            return
    message = "the thread did not wait"
    raise AssertionError(message)
