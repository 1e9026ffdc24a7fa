package internal.qscope.client;

import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/**
 * Keeps answers by their tokens' digests; beyond its capacity the oldest goes. A telling costs the same however many
 * answers have the key: each finds it when it is used next.
 */
final class KeptAnswers {
  private final int capacity;

  /** Read without the lock, written with it. */
  private final Map<TokenDigest, KeptAnswer> answers = new ConcurrentHashMap<>();

  /** The same answers, the oldest first. */
  private final Map<TokenDigest, KeptAnswer> byAge = new LinkedHashMap<>();

  private final Map<RevocationKey, KeptAnswer.HeldKey> held = new HashMap<>();

  KeptAnswers(int capacity) {
    this.capacity = capacity;
  }

  /** The answer kept for a digest, or {@code null}. */
  KeptAnswer get(TokenDigest digest) {
    return answers.get(digest);
  }

  /**
   * Keeps an answer with its revocation keys, in the place of an older one, unless one may have been told: no telling
   * falls between that look and the keeping.
   *
   * @return whether it is kept
   */
  synchronized boolean keepUnless(
      BooleanSupplier wasTold, TokenDigest digest, KeptAnswer answer, Collection<RevocationKey> keys) {
    if (wasTold.getAsBoolean()) {
      return false;
    }
    answer.keys = keys.stream().map(this::hold).toList();
    var replaced = byAge.remove(digest);
    byAge.put(digest, answer);
    answers.put(digest, answer);
    if (replaced != null) {
      release(replaced);
    } else if (byAge.size() > capacity) {
      var oldest = byAge.entrySet().iterator().next();
      remove(oldest.getKey(), oldest.getValue());
    }
    return true;
  }

  /** Drops an answer, unless another has taken its place. */
  synchronized void drop(TokenDigest digest, KeptAnswer answer) {
    if (answers.get(digest) == answer) {
      remove(digest, answer);
    }
  }

  /** Takes note of a telling. */
  synchronized void tell(RevocationKey key, long number) {
    var known = held.get(key);
    if (known != null) {
      known.told = number;
    }
  }

  private void remove(TokenDigest digest, KeptAnswer answer) {
    byAge.remove(digest);
    answers.remove(digest);
    release(answer);
  }

  private KeptAnswer.HeldKey hold(RevocationKey name) {
    var key = held.computeIfAbsent(name, KeptAnswer.HeldKey::new);
    key.answers += 1;
    return key;
  }

  private void release(KeptAnswer answer) {
    for (var key : answer.keys) {
      key.answers -= 1;
      if (key.answers == 0) {
        held.remove(key.name);
      }
    }
  }
}
