"""When revocation keys are forgotten."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from qscope_client.elapsed_time import Moment

#: Seconds for which a key is kept beyond its ``forget_time``: by so much may clocks differ.
_LEEWAY = 60.0
_HOUR = 3_600


@dataclass(slots=True)
class _Hour:
    """The keys that may be forgotten once both clocks are beyond the end of an hour."""

    keys: set[bytes] = field(default_factory=set)
    #: The end of the hour by the monotonic clock; the latest of those reckoned.
    monotonic_end: float = float("-inf")


class Forgetting:
    """
    Tells which keys may be forgotten, up to an hour after their time.

    A clock that runs ahead forgets nothing too early: both have to have come that far. A wall clock that was ahead
    already when a key was told, and is set back later, is noticed: ``is_right`` then says so.
    """

    def __init__(self) -> None:
        """Start with no keys."""
        #: By the hour's number since 1970.
        self._hours: dict[int, _Hour] = {}
        self._latest_offset = float("-inf")

    def put(self, key: bytes, told: Moment, forget_time: float) -> None:
        """Take a key that was told at a moment; its ``forget_time`` is in seconds since 1970."""
        number = math.ceil((forget_time + _LEEWAY) / _HOUR)
        hour = self._hours.setdefault(number, _Hour())
        hour.keys.add(key)
        hour.monotonic_end = max(hour.monotonic_end, number * _HOUR - told.offset)

    def due(self, now: Moment) -> Iterator[bytes]:
        """Give up the keys whose time is over."""
        for number, hour in list(self._hours.items()):
            if now.wall > number * _HOUR and now.monotonic > hour.monotonic_end:
                del self._hours[number]
                self._latest_offset = max(self._latest_offset, now.offset)
                # A key that was told again may have another time.
                yield from (key for key in hour.keys if not any(key in each.keys for each in self._hours.values()))

    def is_right(self, now: Moment) -> bool:
        """Tell whether the wall clock is still as far as it was when keys were forgotten by it."""
        return now.offset >= self._latest_offset - _LEEWAY
