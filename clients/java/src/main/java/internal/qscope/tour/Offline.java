package internal.qscope.tour;

import internal.qscope.client.JwtVerifier;
import internal.qscope.v1.MintTokenRequest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jose4j.jwt.MalformedClaimException;
import org.jose4j.jwt.consumer.InvalidJwtException;

/** Verifies a JWT access token with the server's key set (RFC 9068 §4). */
final class Offline {
  private Offline() {}

  static void visit(Guide guide) throws InvalidJwtException, MalformedClaimException {
    var settings = guide.settings;
    var request =
        MintTokenRequest.newBuilder().setClient(settings.reports().proof()).addAudiences(settings.warehouseAudience());
    var token = Mint.tokenFor(guide, request);
    var claims = verifier(guide, settings.issuer(), settings.warehouseAudience()).verify(token);
    Map<String, Object> told = new LinkedHashMap<>();
    told.put("access_token", token);
    told.put("issuer", claims.getIssuer());
    told.put("subject", claims.getSubject());
    told.put("client_id", claims.getStringClaimValue("client_id"));
    told.put("scope", claims.getStringClaimValue("scope"));
    told.put("token_id", claims.getJwtId());
    told.put("audiences", claims.getAudience());
    guide.tell("offline", told);

    var elsewhere = verifier(guide, "https://elsewhere.example", settings.warehouseAudience());
    var foreign = verifier(guide, settings.issuer(), settings.billingAudience());
    var own = verifier(guide, settings.issuer(), settings.warehouseAudience());
    var refused = new ArrayList<String>();
    if (refuses(own, Tampering.tampered(token))) {
      refused.add("tampered");
    }
    if (refuses(elsewhere, token)) {
      refused.add("foreign_issuer");
    }
    if (refuses(foreign, token)) {
      refused.add("foreign_audience");
    }
    guide.tell("offline_refused", Map.of("refused", List.copyOf(refused)));
  }

  private static JwtVerifier verifier(Guide guide, String issuer, String audience) {
    return new JwtVerifier(guide.tokens("offline"), issuer, audience);
  }

  private static boolean refuses(JwtVerifier verifier, String token) {
    try {
      verifier.verify(token);
      return false;
    } catch (InvalidJwtException refused) {
      return true;
    }
  }
}
