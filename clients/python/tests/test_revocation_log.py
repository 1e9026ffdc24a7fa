"""What the cases of all languages do not reach: answers that break the contract, and keys without room."""

import unittest
from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from qscope.v1.token_service_pb2 import PollRevocationsResponse, Revocation
from qscope_client.elapsed_time import Moment
from qscope_client.kept_answers import KeptAnswers
from qscope_client.revocation_log import MalformedAnswerError, RevocationLog

BEGAN = Moment(50.0, 1_800_000_000.0)
HOUR = 3_600
WAIT = 5.0


def key(number: int) -> bytes:
    """Return one of any number of keys."""
    return number.to_bytes(16, "big")


def told(keys: Iterable[bytes], cursor: str = "next", covered: Duration | None = None) -> PollRevocationsResponse:
    """Return an answer."""
    forget_time = Timestamp(seconds=int(BEGAN.wall) + 24 * HOUR)
    revocations = [Revocation(key=each, forget_time=forget_time) for each in keys]
    return PollRevocationsResponse(revocations=revocations, next_cursor=cursor, covered=covered)


class RevocationLogTest(unittest.TestCase):
    """A log that has read the history."""

    def setUp(self) -> None:
        """Read a history of one key, with room for three."""
        self.log = RevocationLog(KeptAnswers(10), with_history=True, bound=10.0, max_keys=3)
        self.log.take(told([key(1)]), BEGAN, BEGAN)
        self.assertTrue(self.log.has_history(BEGAN))

    def asks_for_history(self, now: Moment) -> bool:
        """Tell whether the next request begins anew."""
        return self.log.next_request(WAIT, now).WhichOneof("from") == "start"

    def test_nothing_is_taken_of_an_answer_that_breaks_the_contract(self) -> None:
        """Not even what is right in it."""
        broken = [
            told([key(2), b"short"]),
            told([key(2)], cursor=""),
            told([key(2)], cursor="c" * 4_097),
            told([key(2)], covered=Duration(seconds=-1)),
        ]
        for answer in broken:
            with self.assertRaises(MalformedAnswerError):
                self.log.take(answer, BEGAN, BEGAN)
        self.assertFalse(self.log.has_told([key(2)]))

    def test_a_log_that_had_no_room_reads_the_history_again_an_hour_later(self) -> None:
        """Until then it goes on, for what is asked online."""
        self.log.take(told(map(key, range(1, 5))), BEGAN, BEGAN)
        self.assertTrue(self.log.is_current(BEGAN))
        self.assertFalse(self.log.has_history(BEGAN))
        self.assertFalse(self.asks_for_history(BEGAN.after(HOUR)))
        self.assertTrue(self.asks_for_history(BEGAN.after(HOUR + 1)))
        self.assertFalse(self.log.is_current(BEGAN))
        later = BEGAN.after(HOUR + 1)
        self.log.take(told([key(1)]), later, later)
        self.assertTrue(self.log.has_history(later))

    def test_keys_make_room_once_their_time_is_over(self) -> None:
        """With the leeway, and up to an hour."""
        self.log.take(told([key(2), key(3)]), BEGAN, BEGAN)
        later = BEGAN.after(26 * HOUR)
        self.log.take(told([]), later, later)
        self.assertFalse(self.log.has_told([key(1), key(2), key(3)]))
        self.assertTrue(self.log.has_history(later))

    def test_a_wall_clock_that_was_ahead_has_the_history_read_again(self) -> None:
        """What it forgot may be missing."""
        ahead = BEGAN.after(26 * HOUR)
        self.log.take(told([]), ahead, ahead)
        self.assertFalse(self.asks_for_history(ahead))
        back = Moment(ahead.monotonic, BEGAN.wall)
        self.assertFalse(self.log.has_history(back))
        self.assertTrue(self.asks_for_history(back))
