package internal.qscope.client;

import static org.testng.Assert.assertEquals;
import static org.testng.Assert.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import internal.qscope.v1.PollRevocationsRequest;
import internal.qscope.v1.PollRevocationsResponse;
import internal.qscope.v1.Revocation;
import internal.qscope.v1.TokenClaims;
import internal.qscope.v1.TokenUse;
import internal.qscope.v1.VerifyTokenRequest;
import internal.qscope.v1.VerifyTokenResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.testng.annotations.Test;

/** Revocations that race verifications in flight. */
public class CachingRacesTest {
  private static final int CALLERS = 6;
  private static final int ROUNDS = 150;
  private static final long LATENCY_MICROS = 2_000;
  private static final List<String> TOKENS = IntStream.range(0, 8).mapToObj(number -> "token-" + number).toList();

  @Test
  public void aTellingIsObeyedWhateverIsInFlight() throws Exception {
    var revoked = ConcurrentHashMap.<String>newKeySet();
    var done = new AtomicBoolean();
    // Fewer places than tokens, so that answers come and go.
    var limits = new CacheLimits(Duration.ofSeconds(10), TOKENS.size() - 2, 1_000);
    var pauses = new RevocationPoller.Pauses(Duration.ZERO, Duration.ZERO, Duration.ZERO);
    var callers = Executors.newFixedThreadPool(CALLERS + 1);
    try (var server = new ScriptedServer(Optional.empty());
        var verifier =
            CachingVerifier.of(ResourceServer.of(server.stub(), Authentication.withSecret("a", "b")))
                .limits(limits)
                .clock(Moment::now, pauses)
                .start()) {
      // Until it is interrupted, so that the last callers have their answers, too.
      callers.submit(() -> answerQuestions(server, revoked));
      var calling = new ArrayList<Future<Integer>>();
      var poll = server.nextPoll();
      for (int count = 0; count < CALLERS; count += 1) {
        calling.add(callers.submit(() -> verifyUntil(done, verifier)));
      }
      poll = tell(server, poll, List.of());
      for (int round = 0; round < ROUNDS; round += 1) {
        var token = TOKENS.get(round % TOKENS.size());
        revoked.add(token);
        poll = tell(server, poll, List.of(token));
        assertEquals(isGood(verifier, token), false);
        revoked.remove(token);
        poll = tell(server, poll, List.of(token));
        assertEquals(isGood(verifier, token), true);
      }
      done.set(true);
      for (var each : calling) {
        assertTrue(each.get(30, TimeUnit.SECONDS) > 0);
      }
    } finally {
      done.set(true);
      callers.shutdownNow();
    }
  }

  /** Answers a poll; returns the next one, which is sent when the telling was taken. */
  private static ScriptedServer.Call<PollRevocationsRequest, PollRevocationsResponse> tell(
      ScriptedServer server,
      ScriptedServer.Call<PollRevocationsRequest, PollRevocationsResponse> poll,
      List<String> tokens)
      throws InterruptedException {
    var answer = PollRevocationsResponse.newBuilder().setNextCursor("c");
    tokens.forEach(token -> answer.addRevocations(Revocation.newBuilder().setKey(keyOf(token))));
    poll.answer(answer.build());
    return server.nextPoll();
  }

  /** Looks at once whether a token is good, and lets the answer be on its way for a while. */
  private static Void answerQuestions(ScriptedServer server, Set<String> revoked) throws InterruptedException {
    var network = Executors.newScheduledThreadPool(1);
    try {
      while (true) {
        var question = server.nextQuestion();
        boolean isRevoked = revoked.contains(question.request().getToken());
        long latency = ThreadLocalRandom.current().nextLong(LATENCY_MICROS);
        network.schedule(() -> answer(question, isRevoked), latency, TimeUnit.MICROSECONDS);
      }
    } finally {
      network.shutdown();
    }
  }

  private static void answer(
      ScriptedServer.Call<VerifyTokenRequest, VerifyTokenResponse> question, boolean isRevoked) {
    if (isRevoked) {
      question.fail(ScriptedServer.INVALID_TOKEN);
      return;
    }
    var token = question.request().getToken();
    var claims =
        TokenClaims.newBuilder()
            .setTokenId(token)
            .setTokenUse(TokenUse.TOKEN_USE_ACCESS)
            .setExpireTime(Timestamp.newBuilder().setSeconds(Instant.now().getEpochSecond() + 3_600))
            .addRevocationKeys(keyOf(token));
    question.answer(VerifyTokenResponse.newBuilder().setClaims(claims).build());
  }

  private static int verifyUntil(AtomicBoolean done, CachingVerifier verifier) throws Exception {
    int count = 0;
    while (!done.get()) {
      isGood(verifier, TOKENS.get(ThreadLocalRandom.current().nextInt(TOKENS.size())));
      count += 1;
    }
    return count;
  }

  private static boolean isGood(CachingVerifier verifier, String token) throws InsufficientScopeException {
    try {
      verifier.verify(PresentedToken.of(token), Optional.empty());
      return true;
    } catch (InvalidTokenException refused) {
      return false;
    }
  }

  private static ByteString keyOf(String token) {
    return ByteString.copyFrom(Arrays.copyOf(token.getBytes(StandardCharsets.US_ASCII), RevocationKey.BYTES));
  }
}
