package internal.qscope.tour;

import internal.qscope.client.Pkce;
import internal.qscope.v1.CodeChallengeMethod;
import internal.qscope.v1.CreateAuthorizationCodeRequest;
import internal.qscope.v1.ExchangeAuthorizationCodeRequest;
import internal.qscope.v1.IssuedToken;
import internal.qscope.v1.UserReference;
import java.util.List;
import java.util.Map;

/** Signs users in (RFC 6749 §4.1, RFC 7636). */
final class Codes {
  private Codes() {}

  static void visit(Guide guide) {
    var pkce = Pkce.draw();
    var code = consent(guide, pkce);
    guide.tellRefusal("code_verifier", () -> exchange(guide, "code_verifier", code, Pkce.draw().verifier()));
    var token = exchange(guide, "code", code, pkce.verifier());
    guide.tell("code", Told.token(token));
    guide.tellRefusal("code_reuse", () -> exchange(guide, "code_reuse", code, pkce.verifier()));
    guide.tell("code_reused", Map.of("active", guide.isActive(guide.settings.shop(), token.getAccessToken())));
  }

  /** Both parts, for a later stop. */
  static IssuedToken signIn(Guide guide) {
    var pkce = Pkce.draw();
    return exchange(guide, "sign_in", consent(guide, pkce), pkce.verifier());
  }

  static UserReference user(String externalId) {
    return UserReference.newBuilder().setExternalId(externalId).build();
  }

  /** Plays the front end: it has logged a user in, who consented. */
  private static String consent(Guide guide, Pkce pkce) {
    var request =
        CreateAuthorizationCodeRequest.newBuilder()
            .setClientId(guide.settings.shop().clientId())
            .setUser(user("ada"))
            .setRedirectUri(guide.settings.shop().redirectUri())
            .addAllScopes(List.of("orders.read", "orders.write"))
            .addAudiences(guide.settings.warehouseAudience())
            .setCodeChallenge(pkce.challenge())
            .setCodeChallengeMethod(CodeChallengeMethod.CODE_CHALLENGE_METHOD_S256)
            .build();
    return guide.tokens("consent").withCallCredentials(guide.frontEnd).createAuthorizationCode(request).getCode();
  }

  private static IssuedToken exchange(Guide guide, String step, String code, String verifier) {
    var request =
        ExchangeAuthorizationCodeRequest.newBuilder()
            .setClient(guide.settings.shop().proof())
            .setCode(code)
            .setRedirectUri(guide.settings.shop().redirectUri())
            .setCodeVerifier(verifier)
            .build();
    return guide.tokens(step).exchangeAuthorizationCode(request).getToken();
  }
}
