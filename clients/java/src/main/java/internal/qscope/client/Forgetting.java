package internal.qscope.client;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Tells which keys may be forgotten, up to an hour after their time.
 *
 * <p>A clock that runs ahead forgets nothing too early: both have to have come that far. A wall clock that was ahead
 * already when a key was told, and is set back later, is noticed: {@link #isRight} then says so.
 */
final class Forgetting {
  /** How long a key is kept beyond its {@code forget_time}: by so much may clocks differ. */
  private static final long LEEWAY = Duration.ofSeconds(60).toMillis();

  private static final long HOUR = Duration.ofHours(1).toMillis();

  /** The keys that may be forgotten once both clocks are beyond the end of an hour. */
  private static final class Hour {
    final Set<RevocationKey> keys = new HashSet<>();

    /** The end of the hour by the monotonic clock; the latest of those reckoned. */
    long monotonicEnd;
  }

  /** By the hour's number since 1970. */
  private final Map<Long, Hour> hours = new HashMap<>();

  private volatile boolean hasForgotten;
  private volatile long latestOffset;

  /** Takes a key that was told at a moment; its {@code forget_time} is in milliseconds since 1970. */
  void put(RevocationKey key, Moment told, long forgetTime) {
    long number = Math.floorDiv(forgetTime + LEEWAY, HOUR) + 1;
    long monotonicEnd = number * HOUR - told.offset();
    var hour = hours.get(number);
    if (hour == null) {
      hour = new Hour();
      hour.monotonicEnd = monotonicEnd;
      hours.put(number, hour);
    } else if (monotonicEnd - hour.monotonicEnd > 0) {
      hour.monotonicEnd = monotonicEnd;
    }
    hour.keys.add(key);
  }

  /** Gives up the keys whose time is over. */
  List<RevocationKey> due(Moment now) {
    var due = new ArrayList<RevocationKey>();
    for (var each : List.copyOf(hours.entrySet())) {
      var hour = each.getValue();
      if (now.wall() <= each.getKey() * HOUR || now.monotonic() - hour.monotonicEnd <= 0) {
        continue;
      }
      hours.remove(each.getKey());
      latestOffset = hasForgotten ? Math.max(latestOffset, now.offset()) : now.offset();
      hasForgotten = true;
      // A key that was told again may have another time.
      hour.keys.stream()
          .filter(key -> hours.values().stream().noneMatch(other -> other.keys.contains(key)))
          .forEach(due::add);
    }
    return due;
  }

  /** Whether the wall clock is still as far as it was when keys were forgotten by it. */
  boolean isRight(Moment now) {
    return !hasForgotten || now.offset() >= latestOffset - LEEWAY;
  }
}
