package internal.qscope.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.Duration;
import internal.qscope.v1.IssuedToken;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** On a clock and an executor of the test's own: an attempt to mint is carried out when the test says so. */
class TokenSourceTest {
  private static final long LIFETIME_SECONDS = 3_600;

  private final Queue<Runnable> attempts = new ArrayDeque<>();
  private final TokenSource source = new TokenSource(this::mint, attempts::add, () -> now * 1_000_000_000L);
  private long now = 0;
  private int minted = 0;
  private boolean fails = false;

  private IssuedToken mint() {
    minted += 1;
    if (fails) {
      throw new IllegalStateException("refused");
    }
    var lifetime = Duration.newBuilder().setSeconds(LIFETIME_SECONDS);
    return IssuedToken.newBuilder().setAccessToken("token " + minted).setExpiresIn(lifetime).build();
  }

  private void carryOutAttempts() {
    while (!attempts.isEmpty()) {
      attempts.remove().run();
    }
  }

  private String token() {
    var asked = source.future();
    carryOutAttempts();
    return asked.join().getAccessToken();
  }

  @Test
  void concurrentCallersShareOneMint() {
    var asked = Stream.generate(source::future).limit(50).toList();
    assertEquals(1, attempts.size());
    carryOutAttempts();
    assertEquals(1, asked.stream().map(each -> each.join().getAccessToken()).distinct().count());
    assertEquals(1, minted);
  }

  @Test
  void aTokenIsRenewedAheadOfItsEndWhileCallersGoOnWithIt() {
    token();
    now = LIFETIME_SECONDS * 3 / 4 - 1;
    token();
    assertEquals(1, minted);
    now = LIFETIME_SECONDS * 7 / 8;
    assertEquals("token 1", source.future().join().getAccessToken());
    assertEquals("token 1", source.future().join().getAccessToken());
    assertEquals(1, attempts.size());
    carryOutAttempts();
    assertEquals("token 2", token());
    assertEquals(2, minted);
  }

  @Test
  void aRenewalThatFailsLeavesTheTokenInUseAndIsTriedAgainLater() {
    token();
    fails = true;
    now = LIFETIME_SECONDS * 7 / 8;
    for (int n = 0; n < 5; n++) {
      assertEquals("token 1", token());
    }
    assertEquals(2, minted);
    now += 1;
    assertEquals("token 1", token());
    assertEquals(3, minted);
    now = LIFETIME_SECONDS;
    assertThrows(CompletionException.class, this::token);
    fails = false;
    assertEquals("token 5", token());
  }

  @Test
  void aCallerWhoGivesUpLeavesTheMintToTheOthers() {
    var impatient = source.future();
    var patient = source.future();
    impatient.cancel(true);
    carryOutAttempts();
    assertFalse(patient.isCompletedExceptionally());
    assertEquals("token 1", patient.join().getAccessToken());
  }

  @Test
  void aDiscardedTokenIsReplacedAndAnyOtherStays() {
    token();
    source.discard("another");
    assertEquals("token 1", token());
    source.discard("token 1");
    assertEquals("token 2", token());
  }
}
