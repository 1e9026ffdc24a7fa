package internal.qscope.tour;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.rpc.BadRequest;
import internal.qscope.client.Refusal;
import internal.qscope.v1.Actor;
import internal.qscope.v1.IssuedToken;
import internal.qscope.v1.TokenClaims;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What steps print. */
final class Told {
  private static final Gson GSON = new GsonBuilder().serializeNulls().create();

  private Told() {}

  static String line(String step, Map<String, ?> told) {
    var all = new LinkedHashMap<String, Object>();
    all.put("step", step);
    all.putAll(told);
    return GSON.toJson(all);
  }

  static Map<String, Object> refusal(Refusal refusal) {
    var told = new LinkedHashMap<String, Object>();
    told.put("status", refusal.status().name());
    told.put("reason", refusal.reasonName());
    told.put("metadata", refusal.metadata());
    told.put("ray_id", refusal.rayId());
    told.put("remedy", refusal.remedy().name().toLowerCase(Locale.ROOT));
    told.put("violations", refusal.violations().stream().map(BadRequest.FieldViolation::getField).toList());
    refusal.retryAfter().ifPresent(delay -> told.put("retry_after", delay.toMillis() / 1e3));
    refusal
        .resource()
        .ifPresent(resource -> told.put("resource", resource.getResourceType() + "/" + resource.getResourceName()));
    return told;
  }

  static Map<String, Object> token(IssuedToken token) {
    var told = new LinkedHashMap<String, Object>();
    told.put("access_token", token.getAccessToken());
    told.put("refresh_token", token.getRefreshToken());
    told.put("token_id", token.getTokenId());
    told.put("token_type", token.getTokenType());
    told.put("expires_in", token.getExpiresIn().getSeconds());
    told.put("scopes", List.copyOf(token.getScopesList()));
    told.put("audiences", List.copyOf(token.getAudiencesList()));
    told.put("issued_token_type", token.getIssuedTokenType());
    return told;
  }

  static Map<String, Object> claims(TokenClaims claims) {
    var told = new LinkedHashMap<String, Object>();
    told.put("token_id", claims.getTokenId());
    told.put("client_id", claims.getClientId());
    told.put("subject", claims.getSubject());
    told.put("subject_type", claims.getSubjectType().name());
    told.put("token_use", claims.getTokenUse().name());
    told.put("scopes", List.copyOf(claims.getScopesList()));
    told.put("audiences", List.copyOf(claims.getAudiencesList()));
    told.put("issuer", claims.getIssuer());
    told.put("actors", claims.hasActor() ? actors(claims.getActor()) : List.of());
    told.put("x5t_s256", claims.getConfirmation().getX5TS256());
    return told;
  }

  private static List<String> actors(Actor first) {
    var subjects = new ArrayList<String>();
    subjects.add(first.getSubject());
    if (first.hasActor()) {
      subjects.addAll(actors(first.getActor()));
    }
    return subjects;
  }
}
