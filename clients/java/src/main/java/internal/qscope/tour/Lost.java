package internal.qscope.tour;

import internal.qscope.client.Connection;
import internal.qscope.client.Refusal;
import internal.qscope.v1.MintTokenRequest;
import internal.qscope.v1.RefreshTokenRequest;
import internal.qscope.v1.TokenServiceGrpc;
import internal.qscope.v1.TokenServiceGrpc.TokenServiceBlockingStub;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;

/** Calls where the first answer to each method gets lost on its way. */
final class Lost {
  private Lost() {}

  static void visit(Guide guide) {
    var refreshToken = Codes.signIn(guide).getRefreshToken();
    var channel = Connection.open(guide.settings.lossyAddress(), InsecureChannelCredentials.create());
    try {
      var tokens = guide.forStep(TokenServiceGrpc.newBlockingStub(channel), "lost");
      // The library sends it again by itself.
      var mint = MintTokenRequest.newBuilder().setClient(guide.settings.orders().proof()).build();
      guide.tell("mint_lost", Told.token(tokens.mintToken(mint).getToken()));
      refresh(guide, tokens, refreshToken);
    } finally {
      channel.shutdownNow();
    }
  }

  /** Not sent again by the library: it is repeated here, once, because the replay window makes that safe. */
  private static void refresh(Guide guide, TokenServiceBlockingStub tokens, String refreshToken) {
    var request =
        RefreshTokenRequest.newBuilder()
            .setClient(guide.settings.shop().proof())
            .setRefreshToken(refreshToken)
            .build();
    try {
      guide.tell("refresh_lost", Told.token(tokens.refreshToken(request).getToken()));
    } catch (StatusRuntimeException error) {
      var first = Refusal.of(error);
      if (first.status() != Status.Code.UNAVAILABLE) {
        throw error;
      }
      var told = Told.token(tokens.refreshToken(request).getToken());
      told.put("first", Told.refusal(first));
      guide.tell("refresh_lost", told);
    }
  }
}
