"""Follows the server's revocations in a thread of its own."""

import logging
import random
import threading
from collections.abc import Callable

import grpc

from qscope.v1.token_service_pb2 import PollRevocationsRequest
from qscope_client.elapsed_time import Clock
from qscope_client.refusal import Refusal
from qscope_client.revocation_log import MalformedAnswerError, RevocationLog

_LOGGER = logging.getLogger("qscope_client")

#: Sends one poll with a deadline in seconds.
Poll = Callable[[PollRevocationsRequest, float], grpc.Future]

#: Seconds that an answer may take beyond the time that it may wait.
_PATIENCE = 5.0
_LONGEST_WAIT = 30.0
#: Seconds between two calls, where there is no more to read: however many are revoked, and for a server that is about
#: to stop and answers at once.
_LEAST_PAUSE = 0.05
#: Seconds after a first failure, doubled at each further one.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class RevocationPoller:
    """
    Keeps a log current, until it is closed.

    A failure is told to ``on_poll_failure`` (``None``: logged as a warning) and tried again. Meanwhile the log grows
    stale.
    """

    def __init__(
        self,
        poll: Poll,
        log: RevocationLog,
        clock: Clock,
        bound: float,
        on_poll_failure: Callable[[Exception], None] | None,
    ) -> None:
        """Start polling. Calls wait for half of ``bound`` seconds, so that one that fails can be repeated."""
        self._poll = poll
        self._log = log
        self._clock = clock
        self._wait = min(bound / 2, _LONGEST_WAIT)
        self._on_poll_failure = on_poll_failure
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._call: grpc.Future | None = None
        self._has_caught_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="qscope-revocations", daemon=True)
        self._thread.start()

    def wait_until_caught_up(self, timeout: float) -> bool:
        """Wait for so many seconds at most until a run of answers came to its end; return whether one did."""
        return self._has_caught_up.wait(timeout)

    def close(self) -> None:
        """End the call under way and the thread; return when both are gone."""
        with self._lock:
            self._closed.set()
            if self._call is not None:
                self._call.cancel()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        failures = 0
        pause = 0.0
        while not self._closed.wait(pause):
            try:
                pause = 0.0 if self._follow() else _LEAST_PAUSE
                failures = 0
            except Exception as error:  # told, and tried again: without this thread, all goes stale
                if self._closed.is_set():
                    return
                pause = self._pause_after(error, failures)
                failures += 1
                self._tell(error)

    def _follow(self) -> bool:
        """Poll once; return whether there is more to read."""
        # Before the first attempt: what counts is the time of that, whatever the library sends again.
        sent = self._clock()
        request = self._log.next_request(self._wait, sent)
        with self._lock:
            if self._closed.is_set():
                return False
            self._call = self._poll(request, request.wait.ToTimedelta().total_seconds() + _PATIENCE)
        more = self._log.take(self._call.result(), sent, self._clock())
        if not more:
            self._has_caught_up.set()
        return more

    def _pause_after(self, error: Exception, failures: int) -> float:
        """Return for how many seconds to leave the server alone."""
        told = 0.0
        if isinstance(error, grpc.RpcError):
            refusal = Refusal.of(error)
            told = refusal.retry_after or 0.0
            if refusal.status == "INVALID_ARGUMENT":
                # Not even as unknown does the server take this cursor.
                self._log.restart()
        elif isinstance(error, MalformedAnswerError):
            self._log.restart()
        pause = min(_FIRST_PAUSE * 2**failures, _LONGEST_PAUSE)
        return max(told, pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load, guards nothing

    def _tell(self, error: Exception) -> None:
        if self._on_poll_failure is None:
            _LOGGER.warning("revocations cannot be polled: %s", error)
            return
        try:
            self._on_poll_failure(error)
        except Exception:
            # Not to end the polling.
            _LOGGER.exception("on_poll_failure failed")
