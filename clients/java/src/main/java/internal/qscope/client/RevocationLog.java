package internal.qscope.client;

import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import internal.qscope.v1.PollRevocationsRequest;
import internal.qscope.v1.PollRevocationsResponse;
import internal.qscope.v1.RevocationStart;
import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Numbers the tellings of keys ({@code TokenService.PollRevocations}), and says up to when they are known.
 *
 * <p>One thread writes: {@link #nextRequest}, {@link #take}, {@link #restart}. Any number read, without a lock, in this
 * order: whether the log is current, the number of tellings, the keys. All is written in the opposite order, so that
 * nothing is taken for current without the tellings that it rests on.
 */
final class RevocationLog {
  /** How long a log that had to drop keys goes on until it reads the history again. */
  private static final long OUTGROWN_FOR = Duration.ofHours(1).toMillis();

  private static final int LONGEST_CURSOR = 4_096;

  private final KeptAnswers answers;
  private final boolean withHistory;
  private final long bound;
  private final int maxKeys;

  /** By key: the number of its latest telling, of all tellings after {@code voided}. */
  private final Map<RevocationKey, Long> told = new ConcurrentHashMap<>();

  private volatile Forgetting forgetting = new Forgetting();
  private volatile long number;

  /** What was looked at when the number of tellings was smaller is void. */
  private volatile long voided;

  private String cursor = "";

  /** {@code null}: nothing is known. */
  private volatile Moment goodUntil;

  /** Whether no key was dropped since the history was begun. */
  private volatile boolean isWhole;

  private Moment readAgainAt;

  /**
   * Starts with nothing known.
   *
   * @param answers learn of each telling
   * @param withHistory whether JWTs are to be accepted offline
   */
  RevocationLog(KeptAnswers answers, boolean withHistory, CacheLimits limits) {
    this.answers = answers;
    this.withHistory = withHistory;
    this.bound = limits.bound().toMillis();
    this.maxKeys = limits.maxRevocations();
    this.isWhole = withHistory;
  }

  /** The number of tellings so far. It is noted before a token is looked at. */
  long number() {
    return number;
  }

  /** Whether all is known that the server had answered as long ago as the limits allow. */
  boolean isCurrent(Moment now) {
    var limit = goodUntil;
    return limit != null && !now.isBeyond(limit);
  }

  /** Whether every key is known that can end a JWT which has not expired. */
  boolean hasHistory(Moment now) {
    return isWhole && forgetting.isRight(now);
  }

  /** Whether one of these keys is known. */
  boolean hasTold(Collection<RevocationKey> keys) {
    return keys.stream().anyMatch(told::containsKey);
  }

  /** Whether something may have ended a token with these keys since a number was noted. */
  boolean hasToldSince(Collection<RevocationKey> keys, long noted) {
    // In this order: keys are dropped after what was verified became void.
    return keys.stream().anyMatch(key -> told.getOrDefault(key, 0L) > noted) || isVoid(noted);
  }

  /** Whether all is void that was looked at when a number was noted. */
  boolean isVoid(long noted) {
    return noted < voided;
  }

  /** What to ask next; the client is the caller's to add. */
  PollRevocationsRequest.Builder nextRequest(Duration wait, Moment now) {
    boolean isDue = readAgainAt != null && now.isBeyond(readAgainAt);
    if (isDue || !forgetting.isRight(now)) {
      restart();
    }
    var request = PollRevocationsRequest.newBuilder();
    if (!cursor.isEmpty()) {
      return request.setCursor(cursor).setWait(Durations.fromMillis(wait.toMillis()));
    }
    return request.setStart(
        withHistory ? RevocationStart.REVOCATION_START_HISTORY : RevocationStart.REVOCATION_START_NOW);
  }

  /**
   * Takes an answer over.
   *
   * @param sent the moment before the first attempt of the call
   * @return whether there is more to ask for at once
   * @throws MalformedAnswerException if the answer breaks the contract; nothing of it is taken
   */
  boolean take(PollRevocationsResponse answer, Moment sent, Moment received) throws MalformedAnswerException {
    check(answer);
    if (answer.getReset() || cursor.isEmpty()) {
      // What was looked at before this run, was looked at while nobody followed what ends it.
      restart();
    }
    for (var revocation : answer.getRevocationsList()) {
      var key = RevocationKey.of(revocation.getKey());
      tell(key);
      if (isWhole && revocation.hasForgetTime()) {
        forgetting.put(key, received, Timestamps.toMillis(revocation.getForgetTime()));
      }
    }
    forgetting.due(received).forEach(told::remove);
    if (told.size() > maxKeys) {
      dropKeys(received);
    }
    cursor = answer.getNextCursor();
    if (!answer.getMore()) {
      // The server's word on its own clock counts for no more than the call took.
      long covered = Math.min(Durations.toMillis(answer.getCovered()), received.monotonic() - sent.monotonic());
      goodUntil = sent.after(covered + bound);
    }
    return answer.getMore();
  }

  /** Begins anew: what was verified is void, and nothing is current until a run has come to its end. */
  void restart() {
    goodUntil = null;
    cursor = "";
    voidAll();
    isWhole = withHistory;
    readAgainAt = null;
  }

  private void tell(RevocationKey key) {
    long next = number + 1;
    // Before the number, so that who notes the new number finds the key.
    told.put(key, next);
    answers.tell(key, next);
    number = next;
  }

  private void dropKeys(Moment now) {
    if (isWhole) {
      isWhole = false;
      readAgainAt = now.after(OUTGROWN_FOR);
    }
    voidAll();
  }

  private void voidAll() {
    voided = number + 1;
    number = voided;
    told.clear();
    forgetting = new Forgetting();
  }

  private static void check(PollRevocationsResponse answer) throws MalformedAnswerException {
    int length = answer.getNextCursor().length();
    if (length == 0 || length > LONGEST_CURSOR) {
      throw new MalformedAnswerException("the answer names no cursor to go on from");
    }
    if (answer.getRevocationsList().stream().anyMatch(each -> each.getKey().size() != RevocationKey.BYTES)) {
      throw new MalformedAnswerException("a revocation key is not of 16 bytes");
    }
    if (Durations.isNegative(answer.getCovered())) {
      throw new MalformedAnswerException("the answer covers less than nothing");
    }
  }
}
