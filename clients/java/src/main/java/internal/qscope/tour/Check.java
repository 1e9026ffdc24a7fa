package internal.qscope.tour;

import internal.qscope.v1.BatchIntrospectTokensRequest;
import internal.qscope.v1.IntrospectTokenRequest;
import internal.qscope.v1.IntrospectTokenResponse;
import internal.qscope.v1.MintTokenRequest;
import internal.qscope.v1.TokenClaims;
import internal.qscope.v1.VerifyTokenRequest;
import java.util.List;
import java.util.Map;

/** What a resource server does with the tokens that it is handed. */
final class Check {
  private Check() {}

  static void visit(Guide guide) {
    var request =
        MintTokenRequest.newBuilder()
            .setClient(guide.settings.orders().proof())
            .addScopes("orders.read")
            .addAudiences(guide.settings.warehouseAudience());
    var token = Mint.tokenFor(guide, request);
    guide.tell("verify", Told.claims(verify(guide, "verify", token, "orders.read")));
    guide.tellRefusal("verify_unknown", () -> verify(guide, "verify_unknown", Guide.NOBODYS));
    guide.tellRefusal("verify_scope", () -> verify(guide, "verify_scope", token, "orders.read", "orders.write"));
    introspect(guide, token);
  }

  private static TokenClaims verify(Guide guide, String step, String token, String... scopes) {
    var request =
        VerifyTokenRequest.newBuilder()
            .setClient(guide.settings.warehouse().proof())
            .setToken(token)
            .addAllRequiredScopes(List.of(scopes))
            .setAudience(guide.settings.warehouseAudience())
            .build();
    return guide.tokens(step).verifyToken(request).getClaims();
  }

  private static void introspect(Guide guide, String token) {
    var warehouse = guide.settings.warehouse().proof();
    var one = IntrospectTokenRequest.newBuilder().setClient(warehouse).setToken(token).build();
    var answer = guide.tokens("introspect").introspectToken(one);
    var told = Told.claims(answer.getClaims());
    told.put("active", answer.getActive());
    guide.tell("introspect", told);
    var several =
        BatchIntrospectTokensRequest.newBuilder()
            .setClient(warehouse)
            .addAllTokens(List.of(token, Guide.NOBODYS, token))
            .build();
    var answers = guide.tokens("introspect").batchIntrospectTokens(several).getResultsList();
    guide.tell("batch_introspect", Map.of("active", answers.stream().map(IntrospectTokenResponse::getActive).toList()));
  }
}
