"""What the server told of revocations (``TokenService.PollRevocations``), and how far it is known."""

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration

from qscope.v1.token_service_pb2 import PollRevocationsRequest, PollRevocationsResponse, RevocationStart
from qscope_client.elapsed_time import Moment
from qscope_client.forgetting import Forgetting
from qscope_client.kept_answers import KeptAnswers

#: Seconds until a log that had to drop keys reads the history again.
_OUTGROWN_FOR = 3_600.0
REVOCATION_KEY_BYTES = 16
_LONGEST_CURSOR = 4_096


class MalformedAnswerError(Exception):
    """An answer that breaks the contract; nothing of it was taken."""


class RevocationLog:
    """
    Numbers the tellings of keys, and says up to when they are known.

    One thread writes (``next_request``, ``take``, ``restart``). Any number read, without a lock, in this order: whether
    the log is current, the number of tellings, the keys. All is written in the opposite order, so that nothing is taken
    for current without the tellings that it rests on.
    """

    def __init__(self, answers: KeptAnswers, with_history: bool, bound: float, max_keys: int) -> None:
        """
        Start with nothing known.

        ``answers`` learn of each telling. ``bound`` is in seconds. Of more than ``max_keys`` keys none is kept:
        what was verified is void then, and no JWT is accepted offline.
        """
        started = RevocationStart.REVOCATION_START_HISTORY if with_history else RevocationStart.REVOCATION_START_NOW
        self._start = started
        self._answers = answers
        self._with_history = with_history
        self._bound = bound
        self._max_keys = max_keys
        #: By key: the number of its latest telling, of all tellings after ``_voided``.
        self._told: dict[bytes, int] = {}
        self._forgetting = Forgetting()
        self._number = 0
        #: What was looked at when the number of tellings was smaller is void.
        self._voided = 0
        self._cursor = ""
        self._good_until: Moment | None = None
        #: Whether no key was dropped since the history was begun.
        self._is_whole = with_history
        self._read_again_at: Moment | None = None

    @property
    def number(self) -> int:
        """The number of tellings so far. It is noted before a token is looked at."""
        return self._number

    def is_current(self, now: Moment) -> bool:
        """Tell whether all is known that the server had answered ``bound`` seconds ago."""
        good_until = self._good_until
        return good_until is not None and not now.is_beyond(good_until)

    def has_history(self, now: Moment) -> bool:
        """Tell whether every key is known that can end a JWT which has not expired."""
        return self._is_whole and self._forgetting.is_right(now)

    def has_told(self, keys: Iterable[bytes]) -> bool:
        """Tell whether one of these keys is known."""
        return any(key in self._told for key in keys)

    def has_told_since(self, keys: Iterable[bytes], noted: int) -> bool:
        """Tell whether something may have ended a token with these keys since a number was noted."""
        # In this order: keys are dropped after what was verified became void.
        return any(self._told.get(key, 0) > noted for key in keys) or noted < self._voided

    def is_void(self, noted: int) -> bool:
        """Tell whether all is void that was looked at when a number was noted."""
        return noted < self._voided

    def next_request(self, wait: float, now: Moment) -> PollRevocationsRequest:
        """Return what to ask next; the client is the caller's to add. ``wait`` is in seconds."""
        is_due = self._read_again_at is not None and now.is_beyond(self._read_again_at)
        if is_due or not self._forgetting.is_right(now):
            self.restart()
        if self._cursor == "":
            return PollRevocationsRequest(start=self._start)
        duration = Duration()
        duration.FromMilliseconds(round(wait * 1_000))
        return PollRevocationsRequest(cursor=self._cursor, wait=duration)

    def take(self, answer: PollRevocationsResponse, sent: Moment, received: Moment) -> bool:
        """
        Take an answer over; return whether there is more to ask for at once.

        ``sent`` is the moment before the first attempt of the call. Raises ``MalformedAnswerError``.
        """
        _check(answer)
        if answer.reset or self._cursor == "":
            # What was looked at before this run, was looked at while nobody followed what ends it.
            self.restart()
        for revocation in answer.revocations:
            self._tell(revocation.key)
            if self._is_whole and revocation.HasField("forget_time"):
                self._forgetting.put(revocation.key, received, revocation.forget_time.ToNanoseconds() / 1e9)
        for key in self._forgetting.due(received):
            del self._told[key]
        if len(self._told) > self._max_keys:
            self._drop_keys(received)
        self._cursor = answer.next_cursor
        if not answer.more:
            # The server's word on its own clock counts for no more than the call took.
            covered = min(answer.covered.ToNanoseconds() / 1e9, received.monotonic - sent.monotonic)
            self._good_until = sent.after(covered + self._bound)
        return answer.more

    def restart(self) -> None:
        """Begin anew: what was verified is void, and nothing is current until a run has come to its end."""
        self._good_until = None
        self._cursor = ""
        self._void()
        self._is_whole = self._with_history
        self._read_again_at = None

    def _tell(self, key: bytes) -> None:
        number = self._number + 1
        # Before the number, so that who notes the new number finds the key.
        self._told[key] = number
        with self._answers.lock:
            self._answers.tell(key, number)
        self._number = number

    def _void(self) -> None:
        self._voided = self._number + 1
        self._number += 1
        self._told.clear()
        self._forgetting = Forgetting()

    def _drop_keys(self, now: Moment) -> None:
        if self._with_history and self._is_whole:
            self._is_whole = False
            self._read_again_at = now.after(_OUTGROWN_FOR)
        self._void()


def _check(answer: PollRevocationsResponse) -> None:
    if not 0 < len(answer.next_cursor) <= _LONGEST_CURSOR:
        message = "the answer names no cursor to go on from"
        raise MalformedAnswerError(message)
    if any(len(revocation.key) != REVOCATION_KEY_BYTES for revocation in answer.revocations):
        message = f"a revocation key is not of {REVOCATION_KEY_BYTES} bytes"
        raise MalformedAnswerError(message)
    if answer.covered.ToNanoseconds() < 0:
        message = "the answer covers less than nothing"
        raise MalformedAnswerError(message)
