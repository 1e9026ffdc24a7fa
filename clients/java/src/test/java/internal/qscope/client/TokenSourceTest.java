package internal.qscope.client;

import static org.testng.Assert.assertEquals;
import static org.testng.Assert.assertFalse;
import static org.testng.Assert.assertThrows;

import com.google.protobuf.Duration;
import internal.qscope.v1.IssuedToken;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;
import org.testng.annotations.BeforeMethod;
import org.testng.annotations.Test;

/** On a clock and an executor of the test's own: an attempt to mint is carried out when the test says so. */
public class TokenSourceTest {
  private static final long LIFETIME_SECONDS = 3_600;

  private Queue<Runnable> attempts;
  private TokenSource source;
  private long now;
  private int minted;
  private boolean fails;

  /** TestNG runs all tests on one instance. */
  @BeforeMethod
  public void beginAnew() {
    attempts = new ArrayDeque<>();
    source = new TokenSource(this::mint, attempts::add, () -> now * 1_000_000_000L);
    now = 0;
    minted = 0;
    fails = false;
  }

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
  public void concurrentCallersShareOneMint() {
    var asked = Stream.generate(source::future).limit(50).toList();
    assertEquals(attempts.size(), 1);
    carryOutAttempts();
    assertEquals(asked.stream().map(each -> each.join().getAccessToken()).distinct().count(), 1);
    assertEquals(minted, 1);
  }

  @Test
  public void aTokenIsRenewedAheadOfItsEndWhileCallersGoOnWithIt() {
    token();
    now = LIFETIME_SECONDS * 3 / 4 - 1;
    token();
    assertEquals(minted, 1);
    now = LIFETIME_SECONDS * 7 / 8;
    assertEquals(source.future().join().getAccessToken(), "token 1");
    assertEquals(source.future().join().getAccessToken(), "token 1");
    assertEquals(attempts.size(), 1);
    carryOutAttempts();
    assertEquals(token(), "token 2");
    assertEquals(minted, 2);
  }

  @Test
  public void aRenewalThatFailsLeavesTheTokenInUseAndIsTriedAgainLater() {
    token();
    fails = true;
    now = LIFETIME_SECONDS * 7 / 8;
    for (int n = 0; n < 5; n++) {
      assertEquals(token(), "token 1");
    }
    assertEquals(minted, 2);
    now += 1;
    assertEquals(token(), "token 1");
    assertEquals(minted, 3);
    now = LIFETIME_SECONDS;
    assertThrows(CompletionException.class, this::token);
    fails = false;
    assertEquals(token(), "token 5");
  }

  @Test
  public void aCallerWhoGivesUpLeavesTheMintToTheOthers() {
    var impatient = source.future();
    var patient = source.future();
    impatient.cancel(true);
    carryOutAttempts();
    assertFalse(patient.isCompletedExceptionally());
    assertEquals(patient.join().getAccessToken(), "token 1");
  }

  @Test
  public void aDiscardedTokenIsReplacedAndAnyOtherStays() {
    token();
    source.discard("another");
    assertEquals(token(), "token 1");
    source.discard("token 1");
    assertEquals(token(), "token 2");
  }
}
