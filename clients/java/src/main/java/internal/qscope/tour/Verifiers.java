package internal.qscope.tour;

import com.google.gson.Gson;
import com.google.gson.annotations.SerializedName;
import internal.qscope.client.AccessClaims;
import internal.qscope.client.InsufficientScopeException;
import internal.qscope.client.JwtVerifier;
import internal.qscope.client.PresentedToken;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jose4j.jwt.consumer.InvalidJwtException;

/** Judges every token of the table in clients/conformance offline. */
final class Verifiers {
  private Verifiers() {}

  private record Table(String issuer, String audience, long clock, List<Case> cases) {}

  private record Case(
      String name, String token, String certificate, @SerializedName("required_scopes") List<String> requiredScopes) {}

  static void visit(Guide guide) throws IOException {
    var table = new Gson().fromJson(Files.readString(Path.of(guide.settings.verifierCasesFile())), Table.class);
    var clock = Clock.fixed(Instant.ofEpochSecond(table.clock()), ZoneOffset.UTC);
    var verifier = new JwtVerifier(guide.tokens("verifier_cases"), table.issuer(), table.audience(), clock);
    var verdicts = new LinkedHashMap<String, Object>();
    for (var each : table.cases()) {
      verdicts.put(each.name(), verdict(verifier, each));
    }
    guide.tell("verifier_cases", Map.of("verdicts", verdicts));
  }

  private static Map<String, Object> verdict(JwtVerifier verifier, Case each) {
    try {
      return accepted(verifier.verify(new PresentedToken(each.token(), each.certificate(), each.requiredScopes())));
    } catch (InvalidJwtException refused) {
      return Map.of("result", "invalid_token");
    } catch (InsufficientScopeException lacking) {
      return Map.of("result", "insufficient_scope");
    }
  }

  private static Map<String, Object> accepted(AccessClaims claims) {
    var told = new LinkedHashMap<String, Object>();
    told.put("result", "accepted");
    told.put("token_id", claims.tokenId());
    told.put("client_id", claims.clientId());
    told.put("subject", claims.subject());
    told.put("subject_type", claims.subjectType().name().toLowerCase(Locale.ROOT));
    told.put("scopes", claims.scopes());
    told.put("audiences", claims.audiences());
    told.put("issuer", claims.issuer());
    told.put("issue_time", claims.issueTime().getEpochSecond());
    told.put("expire_time", claims.expireTime().getEpochSecond());
    told.put("actors", claims.actors());
    told.put("certificate", claims.certificateThumbprint().orElse(null));
    return told;
  }
}
