package internal.qscope.tour;

import internal.qscope.v1.MintTokenRequest;
import internal.qscope.v1.RevokeTokenRequest;
import java.util.Map;

/** Ends a token of one's own (RFC 7009). */
final class Revoke {
  private Revoke() {}

  static void visit(Guide guide) {
    var orders = guide.settings.orders();
    var token = Mint.tokenFor(guide, MintTokenRequest.newBuilder().setClient(orders.proof()));
    guide.tellRefusal("revoke_foreign", () -> revoke(guide, guide.settings.warehouse(), token));
    boolean before = guide.isActive(orders, token);
    revoke(guide, orders, token);
    boolean after = guide.isActive(orders, token);
    // Once more, and one that is nobody's: both are ended already.
    revoke(guide, orders, token);
    revoke(guide, orders, Guide.NOBODYS);
    guide.tell("revoke", Map.of("before", before, "after", after));
  }

  private static void revoke(Guide guide, Settings.Registered client, String token) {
    var request = RevokeTokenRequest.newBuilder().setClient(client.proof()).setToken(token).build();
    guide.tokens("revoke").revokeToken(request);
  }
}
