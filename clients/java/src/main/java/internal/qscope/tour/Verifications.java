package internal.qscope.tour;

import internal.qscope.client.Authentication;
import internal.qscope.client.CachingVerifier;
import internal.qscope.client.Connection;
import internal.qscope.client.PresentedToken;
import internal.qscope.client.ResourceServer;
import internal.qscope.client.VerifiedToken;
import internal.qscope.v1.MintTokenRequest;
import internal.qscope.v1.TokenServiceGrpc;
import internal.qscope.v1.TokenServiceGrpc.TokenServiceBlockingStub;
import internal.qscope.v1.VerifyTokenRequest;
import io.grpc.InsecureChannelCredentials;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.ToIntFunction;

/** Counts verifications a second, from memory and online, beside what they cannot be faster than; see README.md. */
public final class Verifications {
  /** Different tokens, so that memory is not that of one alone. */
  private static final int TOKENS = 1_000;

  private static final int ROUNDS = 3;
  private static final int THREADS = 4;
  private static final long ROUND_NANOS = Duration.ofSeconds(3).toNanos();
  private static final long PATIENCE_SECONDS = 10;

  /** How many verifications there are between two looks at the clock, which costs as much as one from memory. */
  private static final int CLOCK_EVERY = 64;

  private Verifications() {}

  /** Verifies a token; the answer is used, so that no compiler leaves the work out. */
  private record Measured(ToIntFunction<String> verify, int threads) {}

  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 3) {
      System.err.println("usage: java … internal.qscope.tour.Verifications ADDRESS CLIENT_ID CLIENT_SECRET");
      System.exit(2);
    }
    var client = Authentication.withSecret(arguments[1], arguments[2]);
    var channel = Connection.open(arguments[0], InsecureChannelCredentials.create());
    var stub = TokenServiceGrpc.newBlockingStub(channel);
    try (var verifier = CachingVerifier.of(ResourceServer.of(stub, client)).start()) {
      verifier.awaitCurrent(Duration.ofSeconds(PATIENCE_SECONDS));
      var tokens = new ArrayList<String>();
      var known = new ConcurrentHashMap<String, VerifiedToken>();
      var digests = new ConcurrentHashMap<ByteBuffer, VerifiedToken>();
      var mint = MintTokenRequest.newBuilder().setClient(client).build();
      for (int count = 0; count < TOKENS; count += 1) {
        var token = within(stub).mintToken(mint).getToken().getAccessToken();
        tokens.add(token);
        var verified = verifier.verify(PresentedToken.of(token), Optional.empty());
        known.put(token, verified);
        digests.put(digest(token), verified);
      }
      ToIntFunction<String> fromMemory = token -> fromMemory(verifier, token);
      ToIntFunction<String> online =
          token -> {
            var request = VerifyTokenRequest.newBuilder().setClient(client).setToken(token).build();
            return within(stub).verifyToken(request).getClaims().getScopesCount();
          };
      var measured = new LinkedHashMap<String, Measured>();
      measured.put("a look into a map", new Measured(token -> known.get(token).scopes().size(), 1));
      ToIntFunction<String> byDigest = token -> digests.get(digest(token)).scopes().size();
      measured.put("SHA-256, and a look into a map", new Measured(byDigest, 1));
      measured.put("from memory", new Measured(fromMemory, 1));
      measured.put("from memory, " + THREADS + " threads", new Measured(fromMemory, THREADS));
      measured.put("online", new Measured(online, 1));
      measured.put("online, " + THREADS + " threads", new Measured(online, THREADS));
      bestOf(measured, tokens).forEach((name, rate) -> System.out.printf("%-34s%,14.0f a second%n", name, rate));
    } finally {
      channel.shutdownNow();
    }
  }

  /** Measures in rounds, so that what else the machine does is shared. */
  private static Map<String, Double> bestOf(Map<String, Measured> measured, List<String> tokens) throws Exception {
    var best = new LinkedHashMap<String, Double>();
    for (int round = 0; round < ROUNDS; round += 1) {
      for (var each : measured.entrySet()) {
        best.merge(each.getKey(), rate(each.getValue(), tokens), Math::max);
      }
    }
    return best;
  }

  /** How often a second all threads together verify. */
  private static double rate(Measured measured, List<String> tokens) throws Exception {
    var threads = Executors.newFixedThreadPool(measured.threads());
    try {
      long began = System.nanoTime();
      Callable<Long> work = () -> countUntil(began + ROUND_NANOS, measured.verify(), tokens);
      long count = 0;
      for (var each : threads.invokeAll(Collections.nCopies(measured.threads(), work))) {
        count += each.get();
      }
      return count * 1e9 / (System.nanoTime() - began);
    } finally {
      threads.shutdown();
    }
  }

  private static long countUntil(long end, ToIntFunction<String> verify, List<String> tokens) {
    long count = 0;
    long used = 0;
    while (count % CLOCK_EVERY != 0 || System.nanoTime() - end < 0) {
      used += verify.applyAsInt(tokens.get((int) (count % tokens.size())));
      count += 1;
    }
    // Never so, but nobody can know that before all was verified.
    return used == Long.MIN_VALUE ? 0 : count;
  }

  private static int fromMemory(CachingVerifier verifier, String token) {
    try {
      return verifier.verify(PresentedToken.of(token), Optional.empty()).scopes().size();
    } catch (Exception refused) {
      throw new IllegalStateException("a token that is good was refused", refused);
    }
  }

  private static TokenServiceBlockingStub within(TokenServiceBlockingStub stub) {
    return stub.withDeadlineAfter(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  private static ByteBuffer digest(String token) {
    try {
      return ByteBuffer.wrap(
          MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.US_ASCII)));
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java has SHA-256", impossible);
    }
  }
}
