package internal.qscope.client;

import java.util.List;

/** A verified token, and what ends it. */
final class KeptAnswer {
  /** A revocation key that answers have. */
  static final class HeldKey {
    final RevocationKey name;

    /** How many answers have it. Guarded by the lock of {@link KeptAnswers}. */
    int answers;

    /** The number of its latest telling since it is held. */
    volatile long told;

    HeldKey(RevocationKey name) {
      this.name = name;
    }
  }

  final VerifiedToken token;

  /** From when on it has expired. */
  final Moment goodUntil;

  /** Set before the answer is to be seen by other threads. */
  List<HeldKey> keys = List.of();

  /** The number of tellings at which it was known to be good. */
  volatile long noted;

  KeptAnswer(VerifiedToken token, long noted, Moment goodUntil) {
    this.token = token;
    this.noted = noted;
    this.goodUntil = goodUntil;
  }

  /** Whether one of its keys was told since a number was noted. */
  boolean wasToldSince(long number) {
    for (var key : keys) {
      if (key.told > number) {
        return true;
      }
    }
    return false;
  }
}
