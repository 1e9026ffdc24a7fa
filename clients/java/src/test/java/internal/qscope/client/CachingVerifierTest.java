package internal.qscope.client;

import static org.testng.Assert.assertEquals;
import static org.testng.Assert.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Struct;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.JsonFormat;
import internal.qscope.v1.Confirmation;
import internal.qscope.v1.GetJsonWebKeySetResponse;
import internal.qscope.v1.PollRevocationsRequest;
import internal.qscope.v1.PollRevocationsResponse;
import internal.qscope.v1.Revocation;
import internal.qscope.v1.RevocationStart;
import internal.qscope.v1.SubjectType;
import internal.qscope.v1.TokenClaims;
import internal.qscope.v1.TokenUse;
import internal.qscope.v1.VerifyTokenRequest;
import internal.qscope.v1.VerifyTokenResponse;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.StreamSupport;
import org.testng.annotations.DataProvider;
import org.testng.annotations.Test;

/** The caching verifier, held against the cases of all languages. */
public class CachingVerifierTest {
  private static final Path CONFORMANCE = Path.of("..", "conformance");
  private static final JsonObject TABLE = read("caching-verifier-cases.json");
  private static final JsonObject FINISHED = read("caching-verifier-tokens.json");
  private static final long CLOCK = TABLE.get("clock").getAsLong();
  private static final long PATIENCE_SECONDS = 30;

  /** Seconds until a key may be forgotten, where a case does not say. */
  private static final long FORGET_IN = 3_600;

  @DataProvider
  public Object[][] cases() {
    return StreamSupport.stream(TABLE.getAsJsonArray("cases").spliterator(), false)
        .map(JsonElement::getAsJsonObject)
        .map(each -> new Object[] {each.get("name").getAsString(), each})
        .toArray(Object[][]::new);
  }

  @Test(dataProvider = "cases")
  public void itHoldsTheCasesOfAllLanguages(String name, JsonObject given) throws Exception {
    try (var server = new ScriptedServer(keySetOf(given));
        var run = new Run(server, given)) {
      for (var step : given.getAsJsonArray("steps")) {
        try {
          run.take(step.getAsJsonObject());
          assertEquals(server.questionsNobodyExpected(), 0);
        } catch (AssertionError failed) {
          throw new AssertionError(step + ": " + failed.getMessage(), failed);
        }
      }
    }
  }

  /** Empty: it cannot be fetched. */
  private static Optional<GetJsonWebKeySetResponse> keySetOf(JsonObject given) throws IOException {
    return switch (given.has("key_set") ? given.get("key_set").getAsString() : "") {
      case "unavailable" -> Optional.empty();
      case "empty" -> Optional.of(ScriptedServer.keySetIn("{}"));
      default -> Optional.of(ScriptedServer.keySetIn(FINISHED.toString()));
    };
  }

  /** A question, and those who wait for its answer, the first to come first. */
  private record Question(
      ScriptedServer.Call<VerifyTokenRequest, VerifyTokenResponse> call,
      String token,
      List<CompletableFuture<String>> waiting) {}

  /** A case that is under way, with a verifier and clocks of its own. */
  private static final class Run implements AutoCloseable {
    private final ScriptedServer server;
    private final CachingVerifier verifier;
    private final Map<String, Question> questions = new HashMap<>();
    private volatile Moment now = new Moment(1_000_000, CLOCK * 1_000);
    private ScriptedServer.Call<PollRevocationsRequest, PollRevocationsResponse> poll;
    private int polls;

    Run(ScriptedServer server, JsonObject given) throws InterruptedException {
      this.server = server;
      var bound = Duration.ofMillis(TABLE.get("bound_ms").getAsLong());
      var usual = CacheLimits.usual();
      int answers = given.has("max_answers") ? given.get("max_answers").getAsInt() : usual.maxAnswers();
      int keys = given.has("max_revocations") ? given.get("max_revocations").getAsInt() : usual.maxRevocations();
      var none = Duration.ZERO;
      var caller = ResourceServer.of(server.stub(), Authentication.withSecret("warehouse", "secret"));
      var wanted =
          CachingVerifier.of(caller)
              .limits(new CacheLimits(bound, answers, keys))
              .onPollFailure(error -> {})
              .clock(() -> now, new RevocationPoller.Pauses(none, none, none));
      if (given.get("start").getAsString().equals("history")) {
        wanted.offline(TABLE.get("issuer").getAsString());
      }
      verifier = wanted.start();
      poll = server.nextPoll();
    }

    @Override
    public void close() {
      verifier.close();
    }

    void take(JsonObject step) throws Exception {
      if (step.has("use")) {
        use(step);
      } else if (step.has("answer")) {
        answer(step);
      } else if (step.has("poll")) {
        answerPoll(step);
      } else if (step.has("clock")) {
        var passed = step.getAsJsonObject("clock");
        long monotonic = passed.get("monotonic_ms").getAsLong();
        now = new Moment(now.monotonic() + monotonic, now.wall() + passed.get("wall_ms").getAsLong());
      } else {
        assertTrue(step.has("close"));
        verifier.close();
      }
    }

    private void use(JsonObject step) throws Exception {
      var token = step.get("use").getAsString();
      var outcome = new CompletableFuture<String>();
      var caller = new Thread(() -> outcome.complete(outcomeOf(step)), "caller");
      caller.setDaemon(true);
      caller.start();
      if (step.has("asks")) {
        var call = server.nextQuestion();
        assertEquals(call.request().getToken(), presented(token));
        assertEquals(call.request().getClient().getClientId(), "warehouse");
        assertEquals(call.request().getPresentedCertificateSha256(), Optional.ofNullable(certificate(step)).orElse(""));
        questions.put(step.get("asks").getAsString(), new Question(call, token, new ArrayList<>(List.of(outcome))));
      } else if (step.has("joins")) {
        awaitWaiting(caller);
        questions.get(step.get("joins").getAsString()).waiting().add(outcome);
      } else {
        assertEquals(outcome.get(PATIENCE_SECONDS, TimeUnit.SECONDS), step.get("result").getAsString());
      }
    }

    private String outcomeOf(JsonObject step) {
      var token = step.get("use").getAsString();
      var scopes = new ArrayList<String>();
      if (step.has("required_scopes")) {
        step.getAsJsonArray("required_scopes").forEach(scope -> scopes.add(scope.getAsString()));
      }
      var audience = step.has("audience") ? step.get("audience") : TABLE.get("audience");
      try {
        var presented = new PresentedToken(presented(token), certificate(step), scopes);
        var verified =
            verifier.verify(presented, audience.isJsonNull() ? Optional.empty() : Optional.of(audience.getAsString()));
        assertEquals(verified.extra(), ExtraClaims.of(extraOf(tableClaims(token))));
        return verified.tokenId().equals(token) ? "accepted" : "another token";
      } catch (InvalidTokenException refused) {
        return "invalid_token";
      } catch (InsufficientScopeException lacking) {
        return "insufficient_scope";
      } catch (StatusRuntimeException | VerifierClosedException unknown) {
        return "unavailable";
      }
    }

    private void answer(JsonObject step) throws Exception {
      var question = questions.remove(step.get("answer").getAsString());
      switch (step.get("with").getAsString()) {
        case "active" -> question.call().answer(claimsOf(question.token(), step.getAsJsonArray("keys")));
        case "invalid_token" -> question.call().fail(ScriptedServer.INVALID_TOKEN);
        default -> question.call().fail(ScriptedServer.UNAVAILABLE);
      }
      var expected = step.getAsJsonArray("results");
      var waiting = question.waiting();
      if (step.has("asks")) {
        var again = server.nextQuestion();
        assertEquals(again.request(), question.call().request());
        var rest = new ArrayList<>(waiting.subList(expected.size(), waiting.size()));
        questions.put(step.get("asks").getAsString(), new Question(again, question.token(), rest));
        waiting = waiting.subList(0, expected.size());
      }
      var results = new JsonArray();
      for (var outcome : waiting) {
        results.add(outcome.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
      }
      assertEquals(results, expected);
    }

    private void answerPoll(JsonObject step) throws Exception {
      var request = poll.request();
      assertEquals(request.getClient().getClientId(), "warehouse");
      if (step.has("from")) {
        assertEquals(startOf(request), step.get("from").getAsString());
      }
      polls += 1;
      if (step.get("poll").getAsString().equals("fails")) {
        poll.fail(ScriptedServer.UNAVAILABLE);
      } else {
        poll.answer(toldBy(step));
      }
      poll = server.nextPoll();
    }

    private static String startOf(PollRevocationsRequest request) {
      if (request.hasCursor()) {
        return request.getCursor();
      }
      return request.getStart() == RevocationStart.REVOCATION_START_NOW ? "now" : "history";
    }

    private PollRevocationsResponse toldBy(JsonObject step) {
      var answer =
          PollRevocationsResponse.newBuilder()
              .setNextCursor(step.has("next") ? step.get("next").getAsString() : "cursor-" + polls)
              .setMore(step.has("more") && step.get("more").getAsBoolean())
              .setReset(step.has("reset") && step.get("reset").getAsBoolean())
              .setCovered(Durations.fromMillis(step.has("covered_ms") ? step.get("covered_ms").getAsLong() : 0));
      if (step.has("tells")) {
        for (var each : step.getAsJsonArray("tells")) {
          var told = each.getAsJsonObject();
          long forgetIn = told.has("forget_in") ? told.get("forget_in").getAsLong() : FORGET_IN;
          var revocation = Revocation.newBuilder().setKey(key(told.get("key").getAsString()));
          if (!told.has("no_forget_time")) {
            revocation.setForgetTime(Timestamp.newBuilder().setSeconds(CLOCK + forgetIn));
          }
          answer.addRevocations(revocation);
        }
      }
      return answer.build();
    }
  }

  /** What VerifyToken answers about an active token, with other keys where they are given. */
  private static JsonObject tableClaims(String name) {
    var recipe = TABLE.getAsJsonObject("tokens").getAsJsonObject(name);
    var claims = TABLE.getAsJsonObject("claims").deepCopy();
    if (recipe.has("claims")) {
      recipe.getAsJsonObject("claims").entrySet().forEach(each -> claims.add(each.getKey(), each.getValue()));
    }
    return claims;
  }

  private static Struct extraOf(JsonObject claims) {
    var struct = Struct.newBuilder();
    try {
      JsonFormat.parser().merge(claims.get("extra").toString(), struct);
    } catch (InvalidProtocolBufferException broken) {
      throw new IllegalStateException(broken);
    }
    return struct.build();
  }

  private static VerifyTokenResponse claimsOf(String name, JsonArray keys) {
    var recipe = TABLE.getAsJsonObject("tokens").getAsJsonObject(name);
    var claims = tableClaims(name);
    var answer =
        TokenClaims.newBuilder()
            .setTokenId(name)
            .setClientId(claims.get("client_id").getAsString())
            .setSubject(claims.get("subject").getAsString())
            .setSubjectType(SubjectType.SUBJECT_TYPE_CLIENT)
            .setTokenUse(recipe.has("token_use") ? TokenUse.TOKEN_USE_REFRESH : TokenUse.TOKEN_USE_ACCESS)
            .setIssuer(TABLE.get("issuer").getAsString())
            .setIssueTime(Timestamp.newBuilder().setSeconds(CLOCK + claims.get("issued_in").getAsLong()))
            .setExpireTime(Timestamp.newBuilder().setSeconds(CLOCK + claims.get("expires_in").getAsLong()));
    claims.getAsJsonArray("scopes").forEach(scope -> answer.addScopes(scope.getAsString()));
    for (var audience : claims.getAsJsonArray("audiences")) {
      var text = audience.getAsString();
      answer.addAudiences(text.equals("$audience") ? TABLE.get("audience").getAsString() : text);
    }
    if (!claims.get("certificate").isJsonNull()) {
      answer.setConfirmation(
          Confirmation.newBuilder().setX5TS256(thumbprint(claims.get("certificate").getAsString())));
    }
    answer.setExtra(extraOf(claims));
    (keys == null ? recipe.getAsJsonArray("keys") : keys)
        .forEach(each -> answer.addRevocationKeys(key(each.getAsString())));
    return VerifyTokenResponse.newBuilder().setClaims(answer).build();
  }

  /** A key's 16 bytes are its name, filled up with zeros. */
  private static ByteString key(String name) {
    return ByteString.copyFrom(Arrays.copyOf(name.getBytes(StandardCharsets.US_ASCII), RevocationKey.BYTES));
  }

  private static String presented(String token) {
    return FINISHED.getAsJsonObject("tokens").get(token).getAsString();
  }

  private static String certificate(JsonObject step) {
    return step.has("certificate") ? thumbprint(step.get("certificate").getAsString()) : null;
  }

  private static String thumbprint(String name) {
    return TABLE.getAsJsonObject("certificates").get(name).getAsString();
  }

  /** Returns once a thread waits for the answer that another asked for. */
  private static void awaitWaiting(Thread thread) {
    while (thread.isAlive()) {
      boolean isThere =
          Arrays.stream(thread.getStackTrace()).anyMatch(frame -> frame.getMethodName().equals("awaitAnswer"));
      if (isThere && thread.getState() == Thread.State.WAITING) {
        return;
      }
    }
    throw new AssertionError("the caller did not wait");
  }

  private static JsonObject read(String name) {
    try {
      return JsonParser.parseString(Files.readString(CONFORMANCE.resolve(name))).getAsJsonObject();
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }
}
