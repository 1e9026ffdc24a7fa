package internal.qscope.client;

/**
 * A reading of both clocks of this machine, in milliseconds. Of two elapsed times, the larger counts: the monotonic
 * clock may stand still while the machine is suspended, and the wall clock may be set.
 *
 * @param monotonic from anywhere ({@link System#nanoTime})
 * @param wall since 1970
 */
record Moment(long monotonic, long wall) {
  static Moment now() {
    return new Moment(System.nanoTime() / 1_000_000, System.currentTimeMillis());
  }

  /** The moment so many milliseconds later. */
  Moment after(long millis) {
    return new Moment(monotonic + millis, wall + millis);
  }

  /** The milliseconds since an earlier moment. */
  long since(Moment earlier) {
    return Math.max(monotonic - earlier.monotonic, wall - earlier.wall);
  }

  /** Whether a limit has passed by either clock. */
  boolean isBeyond(Moment limit) {
    return monotonic - limit.monotonic > 0 || wall > limit.wall;
  }

  /** Whether a limit has come by either clock. */
  boolean hasReached(Moment limit) {
    return monotonic - limit.monotonic >= 0 || wall >= limit.wall;
  }

  /** How far the wall clock is ahead of the monotonic one: it falls where the wall clock is set back. */
  long offset() {
    return wall - monotonic;
  }
}
