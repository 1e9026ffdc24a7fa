"""Verification from memory, with revocation."""

import math
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import grpc
from jwt.exceptions import InvalidTokenError

from qscope_client import elapsed_time
from qscope_client.elapsed_time import Clock, Moment
from qscope_client.jwt_reader import JwtReader
from qscope_client.kept_answers import KeptAnswer, KeptAnswers, digest_of
from qscope_client.key_set import KeySet, UnknownKeyError
from qscope_client.resource_server import ResourceServer
from qscope_client.revocation_log import RevocationLog
from qscope_client.revocation_poller import RevocationPoller
from qscope_client.token_use import check_spelling, judge_use
from qscope_client.verified_token import VerifiedToken

#: A JWT has three parts.
_JWT_DOTS = 2


@dataclass(frozen=True)
class CacheLimits:
    """How old and how large a memory may be."""

    #: Seconds after which a revocation is obeyed at the latest, 1 at least.
    bound: float = 10.0
    #: Verified tokens, of 1 to 2 KiB each. The oldest goes first.
    max_answers: int = 10_000
    #: Keys of revocations, of about 250 bytes each. Where the server has told more, JWTs are not verified offline.
    max_revocations: int = 100_000

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for what is below 1, and for a bound that is no number of seconds."""
        if not 1 <= self.bound < math.inf or self.max_answers < 1 or self.max_revocations < 1:
            message = "limits are 1 at least"
            raise ValueError(message)


_USUAL_LIMITS = CacheLimits()


class VerifierClosedError(Exception):
    """The verifier was closed: it says nothing of any token."""


#: What is asked: a token's digest, and the thumbprint of the certificate that its bearer showed.
_Question = tuple[bytes, str | None]


class _PendingCall(Future[VerifiedToken]):
    """One call about a token that has no answer yet."""

    def __init__(self, noted: int) -> None:
        super().__init__()
        self.noted = noted


class CachingVerifier:
    """
    Verifies access tokens from memory, and asks the server again once it tells that one may have been revoked.

    A token that was revoked is refused ``bound`` seconds later at the latest, and usually after a tenth of a
    second. Where the server's revocations are not known up to then, every token is verified online; without a server
    that raises ``grpc.RpcError``. Safe for any number of threads; made once for each credential.
    """

    def __init__(
        self,
        server: ResourceServer,
        *,
        issuer: str | None = None,
        limits: CacheLimits = _USUAL_LIMITS,
        on_poll_failure: Callable[[Exception], None] | None = None,
        clock: Clock = elapsed_time.now,
    ) -> None:
        """
        Start to follow the server's revocations; end with ``close``.

        With an ``issuer`` its JWTs are verified offline; without, each token is asked about once. ``on_poll_failure``
        is told of each poll that fails, on the polling thread; ``None``: it is logged.
        """
        self._clock = clock
        self._server = server
        self._jwts = JwtReader(KeySet(server.tokens, clock), issuer or "")
        self._answers = KeptAnswers(limits.max_answers)
        self._is_offline = issuer is not None
        self._log = RevocationLog(self._answers, self._is_offline, limits.bound, limits.max_revocations)
        self._lock = threading.Lock()
        self._pending_calls: dict[_Question, _PendingCall] = {}
        self._is_closed = False
        self._poller = RevocationPoller(self._server.poll, self._log, clock, limits.bound, on_poll_failure)

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

        ``audience`` is the one that it must be for; ``None`` takes tokens for anybody. ``certificate_thumbprint`` is of
        the certificate that the bearer showed in the TLS handshake; without it a token that is bound to one is refused.
        Raises ``InvalidTokenError`` and ``InsufficientScopeError``. ``VerifierClosedError`` and, where the server had
        to be asked, ``grpc.RpcError`` mean that nothing is known of the token: it is not to be accepted.
        """
        if self._is_closed:
            raise VerifierClosedError
        check_spelling(token)
        digest = digest_of(token)
        now = self._clock()
        verified = (
            self._recall(digest, now)
            or self._prove(token, digest, now)
            or self._ask(token, digest, certificate_thumbprint)
        )
        # At each use, and never kept as a verdict.
        return judge_use(
            verified,
            audience=audience,
            certificate_thumbprint=certificate_thumbprint,
            required_scopes=required_scopes,
        )

    def recall(
        self,
        token: str,
        *,
        audience: str | None,
        certificate_thumbprint: str | None = None,
        required_scopes: Iterable[str] = (),
    ) -> VerifiedToken | None:
        """Return at once what ``verify`` would from memory, or raise so; ``None``: it would not be done with that."""
        if self._is_closed:
            raise VerifierClosedError
        check_spelling(token)
        verified = self._recall(digest_of(token), self._clock())
        if verified is None:
            return None
        return judge_use(
            verified,
            audience=audience,
            certificate_thumbprint=certificate_thumbprint,
            required_scopes=required_scopes,
        )

    @property
    def is_current(self) -> bool:
        """Tell whether tokens are accepted from memory now."""
        return not self._is_closed and self._log.is_current(self._clock())

    def wait_until_current(self, timeout: float) -> bool:
        """Wait for so many seconds at most until the revocations are known for the first time; return whether so."""
        return self._poller.wait_until_caught_up(timeout) and self.is_current

    def close(self) -> None:
        """End the polling. From now on nothing is verified."""
        self._is_closed = True
        self._poller.close()

    def __enter__(self) -> Self:
        """Return the verifier."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _recall(self, digest: bytes, now: Moment) -> VerifiedToken | None:
        """Return what was verified before, unless it has ended or may have been ended since."""
        answer = self._answers.get(digest)
        if answer is None or not self._log.is_current(now):
            return None
        number = self._log.number
        if answer.noted != number:
            if answer.was_told() or self._log.is_void(answer.noted):
                self._answers.drop(digest, answer)
                return None
            answer.noted = number
        if now.has_reached(answer.good_until):
            self._answers.drop(digest, answer)
            return None
        return answer.token

    def _prove(self, token: str, digest: bytes, now: Moment) -> VerifiedToken | None:
        """Verify a JWT offline; ``None``: the server has to be asked."""
        if not self._is_offline or token.count(".") != _JWT_DOTS or not self._log.is_current(now):
            return None
        noted = self._log.number
        if not self._log.has_history(now):
            return None
        try:
            proved = self._jwts.read(token)
        except (grpc.RpcError, UnknownKeyError):
            # Its keys are not to be had, or older than its own. The server may answer all the same.
            return None
        keys = proved.revocation_keys
        # By the server's clock it may be good.
        is_timely = proved.earliest <= now.wall < proved.token.expire_time
        # Fetching the keys takes its time.
        if not keys or not is_timely or not self._log.is_current(self._clock()) or self._log.has_told(keys):
            return None
        return proved.token if self._keep(digest, proved.token, keys, noted, now) else None

    def _ask(
        self, token: str, digest: bytes, certificate_thumbprint: str | None, *, was_refused: bool = False
    ) -> VerifiedToken:
        """Verify online, together with others who ask the same; ``was_refused``: by the answer to an older question."""
        question: _Question = (digest, certificate_thumbprint)
        now = self._clock()
        with self._lock:
            noted = self._log.number
            pending = self._pending_calls.get(question)
            # Who comes after a telling wants an answer that was asked for after it. Where the log is not current, there
            # may have been tellings that are not known.
            is_old = pending is None or pending.done() or pending.noted != noted or not self._log.is_current(now)
            if pending is None or is_old:
                pending = self._pending_calls[question] = _PendingCall(noted)
        if not is_old:
            try:
                return pending.result()
            except CancelledError:
                return self._ask(token, digest, certificate_thumbprint, was_refused=was_refused)
            except InvalidTokenError:
                if was_refused:
                    raise
                # No key tells that a token is active again: it may be, since the question was sent.
                return self._ask(token, digest, certificate_thumbprint, was_refused=True)
        try:
            verified = self._call(token, question, pending, now)
        except Exception as error:
            pending.set_exception(error)
            raise
        except BaseException:
            # Of this thread alone: it was interrupted.
            pending.cancel()
            raise
        else:
            pending.set_result(verified)
            return verified
        finally:
            with self._lock:
                if self._pending_calls.get(question) is pending:
                    del self._pending_calls[question]

    def _call(self, token: str, question: _Question, pending: _PendingCall, now: Moment) -> VerifiedToken:
        """Ask, and keep the answer if nobody asked the same since."""
        digest, shown = question
        kept = self._answers.get(digest)
        try:
            verified, keys = self._server.verify(token, shown)
        except InvalidTokenError:
            if kept is not None and kept.token.certificate_thumbprint in (None, shown):
                self._answers.drop(digest, kept)
            raise
        is_latest = self._pending_calls.get(question) is pending
        if is_latest and keys and now.wall < verified.expire_time:
            self._keep(digest, verified, keys, pending.noted, now)
        return verified

    def _keep(self, digest: bytes, token: VerifiedToken, keys: tuple[bytes, ...], noted: int, now: Moment) -> bool:
        """Keep what was looked at when a number was noted, unless it may have ended since; return whether so."""
        good_until = now.after(token.expire_time - now.wall)
        with self._answers.lock:
            if self._log.has_told_since(keys, noted):
                return False
            self._answers.keep(digest, KeptAnswer(token, noted, good_until), keys)
            return True
