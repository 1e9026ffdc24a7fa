package internal.qscope.tour;

import internal.qscope.v1.ExchangeAssertionRequest;
import internal.qscope.v1.ExchangeTokenRequest;
import internal.qscope.v1.IntrospectTokenRequest;
import internal.qscope.v1.IssuedToken;

/** Trades tokens and assertions for tokens of one's own. */
final class Exchange {
  private static final String ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

  private Exchange() {}

  static void visit(Guide guide) {
    exchangeToken(guide);
    exchangeAssertion(guide);
  }

  /** Calls the next service on the user's behalf (RFC 8693). */
  private static void exchangeToken(Guide guide) {
    var signedIn = Codes.signIn(guide);
    var issued = exchange(guide, signedIn.getAccessToken());
    var look =
        IntrospectTokenRequest.newBuilder()
            .setClient(guide.settings.warehouse().proof())
            .setToken(issued.getAccessToken())
            .build();
    var told = Told.claims(guide.tokens("exchange").introspectToken(look).getClaims());
    told.put("issued_token_type", issued.getIssuedTokenType());
    guide.tell("exchange", told);
    guide.tellRefusal("exchange_refused", () -> exchange(guide, signedIn.getRefreshToken()));
  }

  private static IssuedToken exchange(Guide guide, String subjectToken) {
    var request =
        ExchangeTokenRequest.newBuilder()
            .setClient(guide.settings.warehouse().proof())
            .setSubjectToken(subjectToken)
            .setSubjectTokenType(ACCESS_TOKEN)
            .addScopes("orders.read")
            .addAudiences(guide.settings.billingAudience())
            .build();
    return guide.tokens("exchange").exchangeToken(request).getToken();
  }

  /** Obtains a token on the word of the platform (RFC 7523 §2.1). */
  private static void exchangeAssertion(Guide guide) {
    guide.tell("assertion", Told.token(exchangeAssertion(guide, guide.settings.assertion())));
    var tampered = Tampering.tampered(guide.settings.assertion());
    guide.tellRefusal("assertion_refused", () -> exchangeAssertion(guide, tampered));
  }

  private static IssuedToken exchangeAssertion(Guide guide, String assertion) {
    var request = ExchangeAssertionRequest.newBuilder().setAssertion(assertion).build();
    return guide.tokens("assertion").exchangeAssertion(request).getToken();
  }
}
