"""The server's keys, fetched for many threads, and kept for a time."""

import linecache
import sys
import threading
import unittest
from collections.abc import Callable

import grpc
from google.protobuf.duration_pb2 import Duration
from scripted_server import UNAVAILABLE, WAIT, ScriptedServer

from qscope.v1.token_service_pb2 import GetJsonWebKeySetRequest, GetJsonWebKeySetResponse
from qscope_client.elapsed_time import Moment
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


class EmptyServer(ScriptedServer):
    """Has no keys, and says so for five seconds each time."""

    def __init__(self) -> None:
        """Begin with no calls."""
        super().__init__(None)
        self.calls = 0

    def GetJsonWebKeySet(self, _request: GetJsonWebKeySetRequest, **_: object) -> GetJsonWebKeySetResponse:  # noqa: N802
        """Answer at once."""
        self.calls += 1
        return GetJsonWebKeySetResponse(max_age=Duration(seconds=5))


class KeySetTest(unittest.TestCase):
    """Keys that are fetched, and when they are fetched again."""

    def test_keys_are_too_old_on_a_machine_that_slept(self) -> None:
        """Though its monotonic clock stood still."""
        server = EmptyServer()
        now = Moment(50.0, 1_800_000_000.0)
        keys = KeySet(server, lambda: now)
        for slept, calls in ((0, 1), (5, 1), (1, 2)):
            now = Moment(now.monotonic, now.wall + slept)
            keys.revocation_key("any")
            self.assertEqual(server.calls, calls)

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
