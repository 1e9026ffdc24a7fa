"""Elapsed time on a machine that may be suspended, and whose clock may be set."""

import time
from collections.abc import Callable
from typing import NamedTuple


class Moment(NamedTuple):
    """A reading of both clocks of this machine, in seconds. Of two elapsed times, the larger counts."""

    #: Never set, but it may stand still while the machine is suspended.
    monotonic: float
    #: Since 1970. It goes on through a suspension, and may be set.
    wall: float

    def after(self, seconds: float) -> "Moment":
        """Return the moment so many seconds later."""
        return Moment(self.monotonic + seconds, self.wall + seconds)

    def since(self, earlier: "Moment") -> float:
        """Return the seconds since an earlier moment."""
        return max(self.monotonic - earlier.monotonic, self.wall - earlier.wall)

    def is_beyond(self, limit: "Moment") -> bool:
        """Tell whether a limit has passed by either clock."""
        return self.monotonic > limit.monotonic or self.wall > limit.wall

    def has_reached(self, limit: "Moment") -> bool:
        """Tell whether a limit has come by either clock."""
        return self.monotonic >= limit.monotonic or self.wall >= limit.wall

    @property
    def offset(self) -> float:
        """Return how far the wall clock is ahead of the monotonic one: it falls where the wall clock is set back."""
        return self.wall - self.monotonic


Clock = Callable[[], Moment]


def now() -> Moment:
    """Read both clocks."""
    return Moment(time.monotonic(), time.time())
