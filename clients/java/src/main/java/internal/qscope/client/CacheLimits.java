package internal.qscope.client;

import java.time.Duration;

/**
 * How old and how large a memory of verified tokens may be.
 *
 * @param maxStaleness after which a revocation is obeyed at the latest
 * @param maxAnswers verified tokens, of about 1 KiB each; the oldest goes first
 * @param maxRevocations keys of revocations, of about 150 bytes each; where the server has told more, JWTs are not
 *     verified offline
 */
public record CacheLimits(Duration maxStaleness, int maxAnswers, int maxRevocations) {
  public CacheLimits {
    if (maxStaleness.isNegative() || maxStaleness.isZero() || maxAnswers < 1 || maxRevocations < 1) {
      throw new IllegalArgumentException("limits are above 0");
    }
  }

  /** Ten seconds, 100,000 tokens, 500,000 revocations. */
  public static CacheLimits usual() {
    return new CacheLimits(Duration.ofSeconds(10), 100_000, 500_000);
  }
}
