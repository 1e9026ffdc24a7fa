"""When revocation keys are forgotten."""

import unittest

from qscope_client.elapsed_time import Moment
from qscope_client.forgetting import Forgetting

HOUR = 3_600
BEGAN = Moment(50.0, 1_000 * HOUR)
KEY = b"sixteen bytes   "
OTHER = b"another of them "


class ForgettingTest(unittest.TestCase):
    """A key's time, with the leeway for clocks."""

    def setUp(self) -> None:
        """Tell of one key, whose time is two hours ahead."""
        self.forgetting = Forgetting()
        self.forgetting.put(KEY, BEGAN, BEGAN.wall + 2 * HOUR)

    def forgotten(self, moment: Moment) -> list[bytes]:
        """Return what is given up at a moment."""
        return list(self.forgetting.due(moment))

    def test_a_key_is_kept_until_its_time_and_the_leeway_are_over(self) -> None:
        """And is given up in the hour after that, once."""
        self.assertEqual(self.forgotten(BEGAN.after(2 * HOUR + 60)), [])
        self.assertEqual(self.forgotten(BEGAN.after(3 * HOUR + 61)), [KEY])
        self.assertEqual(self.forgotten(BEGAN.after(9 * HOUR)), [])

    def test_a_key_that_is_told_again_has_the_later_time(self) -> None:
        """Its first time forgets nothing."""
        self.forgetting.put(KEY, BEGAN.after(HOUR), BEGAN.wall + 5 * HOUR)
        self.forgetting.put(OTHER, BEGAN, BEGAN.wall + 2 * HOUR)
        self.assertEqual(self.forgotten(BEGAN.after(3 * HOUR + 61)), [OTHER])
        self.assertEqual(self.forgotten(BEGAN.after(6 * HOUR + 61)), [KEY])

    def test_either_clock_alone_forgets_nothing(self) -> None:
        """One of them may be wrong."""
        self.assertEqual(self.forgotten(Moment(BEGAN.monotonic, BEGAN.wall + 9 * HOUR)), [])
        self.assertEqual(self.forgotten(Moment(BEGAN.monotonic + 9 * HOUR, BEGAN.wall)), [])
        self.assertEqual(self.forgotten(BEGAN.after(9 * HOUR)), [KEY])

    def test_a_wall_clock_that_is_set_back_after_it_forgot_is_noticed(self) -> None:
        """What it forgot may be missing."""
        ahead = BEGAN.after(9 * HOUR)
        self.assertEqual(self.forgotten(ahead), [KEY])
        self.assertTrue(self.forgetting.is_right(ahead.after(HOUR)))
        self.assertTrue(self.forgetting.is_right(Moment(ahead.monotonic, ahead.wall - 59)))
        self.assertFalse(self.forgetting.is_right(Moment(ahead.monotonic, ahead.wall - 61)))
