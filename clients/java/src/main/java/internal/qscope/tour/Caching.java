package internal.qscope.tour;

import com.google.gson.Gson;
import com.google.gson.annotations.SerializedName;
import internal.qscope.client.Authentication;
import internal.qscope.client.CacheLimits;
import internal.qscope.client.CachingVerifier;
import internal.qscope.client.Connection;
import internal.qscope.client.InsufficientScopeException;
import internal.qscope.client.InvalidTokenException;
import internal.qscope.client.PresentedToken;
import internal.qscope.client.ResourceServer;
import internal.qscope.v1.TokenServiceGrpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.StatusRuntimeException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/** Verifies tokens with a caching verifier, for as long as its standard input lasts; see README.md. */
public final class Caching {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final long PAUSE_MILLIS = 10;

  private Caching() {}

  private record Settings(
      String address,
      String issuer,
      String audience,
      @SerializedName("client_id") String clientId,
      @SerializedName("client_secret") String clientSecret,
      @SerializedName("bound_ms") long boundMillis) {}

  /** A token, and what it is to come to; {@code null}: it is verified once. */
  private record Asked(String token, String until) {}

  /** Answers each line with what the token came to, and when. */
  public static void main(String[] arguments) throws Exception {
    var gson = new Gson();
    var settings = gson.fromJson(Files.readString(Path.of(arguments[0])), Settings.class);
    var channel = Connection.open(settings.address(), InsecureChannelCredentials.create());
    var client = Authentication.withSecret(settings.clientId(), settings.clientSecret());
    var server = ResourceServer.of(TokenServiceGrpc.newBlockingStub(channel), client);
    var usual = CacheLimits.usual();
    var bound = Duration.ofMillis(settings.boundMillis());
    var verifier =
        CachingVerifier.of(server)
            .offline(settings.issuer())
            .limits(new CacheLimits(bound, usual.maxAnswers(), usual.maxRevocations()))
            .onPollFailure(failure -> {})
            .start();
    try (verifier;
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      System.out.println(gson.toJson(Map.of("current", verifier.awaitCurrent(PATIENCE))));
      for (var line = input.readLine(); line != null; line = input.readLine()) {
        System.out.println(gson.toJson(comeTo(verifier, settings.audience(), gson.fromJson(line, Asked.class))));
      }
    } finally {
      channel.shutdownNow();
    }
  }

  private static Map<String, Object> comeTo(CachingVerifier verifier, String audience, Asked asked)
      throws InterruptedException {
    long began = System.nanoTime();
    while (true) {
      var result = result(verifier, asked.token(), audience);
      var after = Duration.ofNanos(System.nanoTime() - began);
      if (asked.until() == null || asked.until().equals(result) || after.compareTo(PATIENCE) > 0) {
        return Map.of("result", result, "current", verifier.isCurrent(), "after_ms", after.toMillis());
      }
      Thread.sleep(PAUSE_MILLIS);
    }
  }

  private static String result(CachingVerifier verifier, String token, String audience) {
    try {
      verifier.verify(PresentedToken.of(token), audience);
      return "accepted";
    } catch (InvalidTokenException refused) {
      return "invalid_token";
    } catch (InsufficientScopeException lacking) {
      return "insufficient_scope";
    } catch (StatusRuntimeException unknown) {
      return "unavailable";
    }
  }
}
