package internal.qscope.client;

import static org.testng.Assert.assertEquals;
import static org.testng.Assert.assertFalse;
import static org.testng.Assert.assertThrows;
import static org.testng.Assert.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Durations;
import internal.qscope.v1.PollRevocationsResponse;
import internal.qscope.v1.Revocation;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.stream.LongStream;
import org.testng.annotations.BeforeMethod;
import org.testng.annotations.Test;

/** What the cases of all languages do not reach: answers that break the contract, and keys without room. */
public class RevocationLogTest {
  private static final long HOUR = 3_600_000;
  private static final Moment BEGAN = new Moment(50_000, 1_800_000_000_000L);

  private RevocationLog log;

  /** TestNG runs all tests on one instance. */
  @BeforeMethod
  public void readAHistoryOfOneKeyWithRoomForThree() throws MalformedAnswerException {
    var limits = new CacheLimits(Duration.ofSeconds(10), 10, 3);
    log = new RevocationLog(new KeptAnswers(limits.maxAnswers()), true, limits);
    log.take(told(1).build(), BEGAN, BEGAN);
    assertTrue(log.hasHistory(BEGAN));
  }

  private static ByteString key(long number) {
    return ByteString.copyFrom(ByteBuffer.allocate(RevocationKey.BYTES).putLong(0).putLong(number).flip());
  }

  private static List<RevocationKey> keys(long... numbers) {
    return LongStream.of(numbers).mapToObj(number -> new RevocationKey(0, number)).toList();
  }

  private static Revocation.Builder revocation(ByteString key) {
    var forgetTime = Timestamp.newBuilder().setSeconds((BEGAN.wall() + 24 * HOUR) / 1_000);
    return Revocation.newBuilder().setKey(key).setForgetTime(forgetTime);
  }

  private static PollRevocationsResponse.Builder told(long... numbers) {
    var answer = PollRevocationsResponse.newBuilder().setNextCursor("next");
    LongStream.of(numbers).forEach(number -> answer.addRevocations(revocation(key(number))));
    return answer;
  }

  private boolean asksForHistory(Moment now) {
    return log.nextRequest(Duration.ofSeconds(5), now).hasStart();
  }

  @Test
  public void nothingIsTakenOfAnAnswerThatBreaksTheContract() {
    var broken =
        List.of(
            told(2).addRevocations(revocation(ByteString.copyFromUtf8("short"))),
            told(2).setNextCursor(""),
            told(2).setNextCursor("c".repeat(4_097)),
            told(2).setCovered(Durations.fromSeconds(-1)));
    for (var answer : broken) {
      assertThrows(MalformedAnswerException.class, () -> log.take(answer.build(), BEGAN, BEGAN));
    }
    assertFalse(log.hasTold(keys(2)));
  }

  @Test
  public void aLogThatHadNoRoomReadsTheHistoryAgainAnHourLater() throws MalformedAnswerException {
    log.take(told(1, 2, 3, 4).build(), BEGAN, BEGAN);
    assertTrue(log.isCurrent(BEGAN));
    assertFalse(log.hasHistory(BEGAN));
    assertFalse(asksForHistory(BEGAN.after(HOUR)));
    var later = BEGAN.after(HOUR + 1);
    assertTrue(asksForHistory(later));
    assertFalse(log.isCurrent(BEGAN));
    log.take(told(1).build(), later, later);
    assertTrue(log.hasHistory(later));
  }

  @Test
  public void keysMakeRoomOnceTheirTimeIsOver() throws MalformedAnswerException {
    long before = log.number();
    log.take(told(2, 3).build(), BEGAN, BEGAN);
    assertEquals(log.number(), before + 2);
    var later = BEGAN.after(26 * HOUR);
    log.take(told().build(), later, later);
    assertFalse(log.hasTold(keys(1, 2, 3)));
    assertTrue(log.hasHistory(later));
  }

  @Test
  public void aWallClockThatWasAheadHasTheHistoryReadAgain() throws MalformedAnswerException {
    var ahead = BEGAN.after(26 * HOUR);
    log.take(told().build(), ahead, ahead);
    assertFalse(asksForHistory(ahead));
    var back = new Moment(ahead.monotonic(), BEGAN.wall());
    assertFalse(log.hasHistory(back));
    assertTrue(asksForHistory(back));
  }
}
