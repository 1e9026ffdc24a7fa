package internal.qscope.tour;

import internal.qscope.v1.IssuedToken;
import internal.qscope.v1.RefreshTokenRequest;
import java.util.List;
import java.util.Map;

/** Rotates a refresh token, repeats a call, and shows what reuse does (RFC 6749 §6, RFC 9700 §4.14). */
final class Refresh {
  private Refresh() {}

  static void visit(Guide guide) {
    var first = Codes.signIn(guide).getRefreshToken();
    var second = refresh(guide, "refresh", first);
    guide.tell("refresh", Told.token(second));
    guide.tell("refresh_replay", Told.token(refresh(guide, "refresh_replay", first)));
    var narrowed = refresh(guide, "refresh_narrowed", second.getRefreshToken(), "orders.read");
    guide.tell("refresh_narrowed", Told.token(narrowed));
    // Its successor is spent by now: whoever shows this one is not who got that.
    guide.tellRefusal("refresh_reuse", () -> refresh(guide, "refresh_reuse", first));
    guide.tell("refresh_reused", Map.of("active", guide.isActive(guide.settings.shop(), narrowed.getAccessToken())));
  }

  private static IssuedToken refresh(Guide guide, String step, String refreshToken, String... scopes) {
    var request =
        RefreshTokenRequest.newBuilder()
            .setClient(guide.settings.shop().proof())
            .setRefreshToken(refreshToken)
            .addAllScopes(List.of(scopes))
            .build();
    return guide.tokens(step).refreshToken(request).getToken();
  }
}
