"""A token that is used until shortly before it ends."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from qscope.v1.token_pb2 import IssuedToken

# A token is replaced when between an eighth and a quarter of its lifetime is left. The moment is drawn, so that the
# instances of a service do not all mint at once.
_LEAST_LEFT = 1 / 8
_MOST_LEFT = 1 / 4

# Seconds for which a renewal that failed is left alone while the token is good.
_PAUSE = 1.0


@dataclass(frozen=True)
class _Held:
    token: IssuedToken
    renew_at: float
    ends_at: float


class TokenSource:
    """
    Hands out one token until shortly before it ends.

    It is made once for each set of scopes and audiences, and safe for any number of threads.
    """

    def __init__(self, mint: Callable[[], IssuedToken], clock: Callable[[], float] = time.monotonic) -> None:
        """Take what obtains one token, within a deadline of its own: a call of MintToken, for example."""
        self._mint = mint
        self._clock = clock
        self._lock = threading.Lock()
        self._current: _Held | None = None
        self._flight: Future[IssuedToken] | None = None
        self._rest_until = clock()

    def token(self, timeout: float | None = None) -> IssuedToken:
        """
        Return a token that is good now.

        While one is being renewed ahead of its end, callers go on with it and wait for nothing; where there is none,
        they wait together for one attempt, each for at most so many seconds. Raises what minting raised, or
        ``TimeoutError``.
        """
        return self.future().result(timeout)

    def future(self) -> Future[IssuedToken]:
        """Return the token without waiting: the future is done where one is at hand."""
        with self._lock:
            now = self._clock()
            current = self._current
            is_good = current is not None and now < current.ends_at
            is_due = current is None or (now >= current.renew_at and now >= self._rest_until)
            departing = self._flight is None and (is_due or not is_good)
            if departing:
                self._flight = Future()
            flight = self._flight
        if departing and flight is not None:
            # Of no caller: others wait for it too.
            threading.Thread(target=self._fly, args=(flight,), name="qscope-token-source", daemon=True).start()
        if current is None or not is_good:
            # Never None here: without a good token an attempt is under way.
            return _waiting_for(flight)
        ready: Future[IssuedToken] = Future()
        ready.set_result(current.token)
        return ready

    def discard(self, access_token: str) -> None:
        """Drop a token that a resource server refused before its time; the next call mints. Any other token stays."""
        with self._lock:
            if self._current is not None and self._current.token.access_token == access_token:
                self._current = None

    def _fly(self, flight: Future[IssuedToken]) -> None:
        # The lifetime counts from before the call, on this machine's own clock.
        began = self._clock()
        try:
            token = self._mint()
        except BaseException as error:  # it is the waiting callers' to handle
            with self._lock:
                self._flight = None
                self._rest_until = self._clock() + _PAUSE
            flight.set_exception(error)
            return
        with self._lock:
            self._flight = None
            self._current = _hold(token, began)
        flight.set_result(token)


def _waiting_for(flight: Future[IssuedToken] | None) -> Future[IssuedToken]:
    if flight is None:
        message = "no attempt is under way"
        raise RuntimeError(message)
    return flight


def _hold(token: IssuedToken, began: float) -> _Held:
    lifetime = token.expires_in.ToTimedelta().total_seconds()
    left = random.uniform(_LEAST_LEFT, _MOST_LEFT)  # noqa: S311 - spreads load, guards nothing
    return _Held(token, began + (1 - left) * lifetime, began + lifetime)
