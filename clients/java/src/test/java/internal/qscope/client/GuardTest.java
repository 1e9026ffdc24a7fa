package internal.qscope.client;

import static org.testng.Assert.assertEquals;
import static org.testng.Assert.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.Status;
import io.grpc.TlsChannelCredentials;
import io.grpc.TlsServerCredentials;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.StreamSupport;
import org.testng.annotations.DataProvider;
import org.testng.annotations.Test;

/** Guarded servers, held against the cases of all languages. */
public class GuardTest {
  private static final JsonObject TABLE = read();
  private static final String AUDIENCE = TABLE.get("audience").getAsString();
  private static final String CHECK = "/" + GuardedServer.SERVICE + "/Check";
  private static final String WATCH = "/" + GuardedServer.SERVICE + "/Watch";
  private static final List<String> READER = List.of("Bearer reader");

  @DataProvider
  public Object[][] ways() {
    return new Object[][] {{false}, {true}};
  }

  @Test(dataProvider = "ways")
  public void itHoldsTheCasesOfAllLanguages(boolean fromMemory) throws Exception {
    try (var qscope = new TabledServer(TABLE, Optional.empty());
        var caching = caching(qscope)) {
      for (var rules : TABLE.getAsJsonObject("rules").entrySet()) {
        var failures = new CopyOnWriteArrayList<Exception>();
        var guard = guard(verifier(qscope, caching, fromMemory), rules.getValue().getAsJsonObject(), failures);
        try (var server = new GuardedServer(guard, InsecureServerCredentials.create())) {
          for (var each : TABLE.getAsJsonArray("cases")) {
            if (each.getAsJsonObject().get("rules").getAsString().equals(rules.getKey())) {
              judge(server, each.getAsJsonObject(), failures);
            }
          }
        }
      }
    }
  }

  @Test(dataProvider = "ways")
  public void itAsksOnceFromMemoryAndAlwaysOnline(boolean fromMemory) throws Exception {
    try (var qscope = new TabledServer(TABLE, Optional.empty());
        var caching = caching(qscope);
        var server =
            new GuardedServer(
                readers(verifier(qscope, caching, fromMemory)), InsecureServerCredentials.create())) {
      for (int count = 0; count < 3; count += 1) {
        server.call(CHECK, READER, InsecureChannelCredentials.create());
      }
      assertEquals(qscope.asked(), fromMemory ? 1 : 3);
    }
  }

  @Test(dataProvider = "ways")
  public void itTakesABoundTokenOnlyFromWhoHoldsItsCertificate(boolean fromMemory) throws Exception {
    var serving = Identity.make();
    var holder = Identity.make();
    var other = Identity.make();
    var thumbprint = PresentedToken.of("any").with(holder.certificate()).certificateThumbprint();
    var asking =
        TlsServerCredentials.newBuilder()
            .keyManager(serving.keys())
            .trustManager(Identity.trusting(holder, other))
            .clientAuth(TlsServerCredentials.ClientAuth.OPTIONAL)
            .build();
    try (var qscope = new TabledServer(TABLE, Optional.of(thumbprint));
        var caching = caching(qscope);
        var server = new GuardedServer(readers(verifier(qscope, caching, fromMemory)), asking)) {
      var trusting = TlsChannelCredentials.newBuilder().trustManager(Identity.trusting(serving));
      for (var path : List.of(CHECK, WATCH)) {
        server.call(path, READER, trusting.keyManager(holder.keys()).build());
        var refusal = server.refusal(path, READER, trusting.keyManager(other.keys()).build());
        assertEquals(refusal.map(Refusal::status), Optional.of(Status.Code.UNAUTHENTICATED));
        var without = TlsChannelCredentials.newBuilder().trustManager(Identity.trusting(serving)).build();
        assertEquals(
            server.refusal(path, READER, without).map(Refusal::status), Optional.of(Status.Code.UNAUTHENTICATED));
      }
    }
  }

  private static void judge(GuardedServer server, JsonObject given, List<Exception> failures) throws Exception {
    var name = given.get("name").getAsString();
    server.admitted.clear();
    failures.clear();
    var values =
        StreamSupport.stream(given.getAsJsonArray("authorization").spliterator(), false)
            .map(value -> value.getAsString().replace("$", ""))
            .toList();
    var refusal = server.refusal(given.get("path").getAsString(), values, InsecureChannelCredentials.create());
    var expected = given.getAsJsonObject("result");
    if (expected.get("status").getAsString().equals("OK")) {
      assertTrue(refusal.isEmpty(), name);
      var token = expected.get("token");
      var wanted = token.isJsonNull() ? Optional.empty() : Optional.of(token.getAsString());
      assertEquals(server.admitted.stream().map(each -> each.map(VerifiedToken::tokenId)).toList(), List.of(wanted));
      return;
    }
    assertEquals(server.admitted, List.of(), name);
    var told = refusal.orElseThrow(() -> new AssertionError(name + ": it came in"));
    assertEquals(told.status().name(), expected.get("status").getAsString(), name);
    assertEquals(told.reasonName(), expected.get("reason").getAsString(), name);
    assertEquals(told.message(), expected.get("message").getAsString(), name);
    var oauthError = expected.get("oauth_error").getAsString();
    var metadata =
        expected.has("required_scopes")
            ? Map.of("oauth_error", oauthError, "required_scopes", expected.get("required_scopes").getAsString())
            : Map.of("oauth_error", oauthError);
    assertEquals(told.metadata(), metadata, name);
    boolean isUnknown = told.status() == Status.Code.UNAVAILABLE || told.status() == Status.Code.INTERNAL;
    assertEquals(failures.size(), isUnknown ? 1 : 0, name);
  }

  private static CachingVerifier caching(TabledServer qscope) throws InterruptedException {
    var verifier = CachingVerifier.of(qscope.caller()).start();
    assertTrue(verifier.awaitCurrent(Duration.ofSeconds(30)));
    return verifier;
  }

  private static TokenVerifier verifier(TabledServer qscope, CachingVerifier caching, boolean fromMemory) {
    return fromMemory ? caching : OnlineVerifier.of(qscope.caller());
  }

  private static Guard readers(TokenVerifier verifier) {
    return Guard.of(verifier).audience(AUDIENCE).otherwise(MethodRule.scopes("orders.read")).build();
  }

  private static Guard guard(TokenVerifier verifier, JsonObject rules, List<Exception> failures) {
    var guard = Guard.of(verifier).audience(AUDIENCE).onCheckFailure(failures::add);
    for (var each : rules.getAsJsonObject("methods").entrySet()) {
      guard.method(each.getKey().substring(1), rule(each.getValue()));
    }
    if (!rules.get("otherwise").isJsonNull()) {
      guard.otherwise(rule(rules.get("otherwise")));
    }
    return guard.build();
  }

  private static MethodRule rule(JsonElement written) {
    if (written.isJsonPrimitive()) {
      return MethodRule.anyone();
    }
    var object = written.getAsJsonObject();
    var scopes =
        StreamSupport.stream(object.getAsJsonArray("scopes").spliterator(), false)
            .map(JsonElement::getAsString)
            .toArray(String[]::new);
    var rule = MethodRule.scopes(scopes);
    return object.has("audience") ? rule.withAudience(object.get("audience").getAsString()) : rule;
  }

  private static JsonObject read() {
    try {
      return JsonParser.parseString(Files.readString(Path.of("..", "conformance", "guard-cases.json"))).getAsJsonObject();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
