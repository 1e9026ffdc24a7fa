package internal.qscope.client;

import java.time.Duration;

/**
 * How old and how large a memory of verified tokens may be.
 *
 * @param bound after which a revocation is obeyed at the latest, a second at least
 * @param maxAnswers verified tokens, of about 1 KiB each; the oldest goes first
 * @param maxRevocations keys of revocations, of about 150 bytes each; where the server has told more, JWTs are not
 *     verified offline
 */
public record CacheLimits(Duration bound, int maxAnswers, int maxRevocations) {
  public CacheLimits {
    if (bound.compareTo(Duration.ofSeconds(1)) < 0 || maxAnswers < 1 || maxRevocations < 1) {
      throw new IllegalArgumentException("limits are 1 at least");
    }
  }

  /** Ten seconds, 10,000 tokens, 100,000 revocations. */
  public static CacheLimits usual() {
    return new CacheLimits(Duration.ofSeconds(10), 10_000, 100_000);
  }
}
