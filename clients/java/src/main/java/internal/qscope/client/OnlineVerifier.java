package internal.qscope.client;

import java.util.Optional;

/** Asks about each token, and keeps nothing: one that is revoked is refused from the next use on. */
public final class OnlineVerifier implements TokenVerifier {
  private final ResourceServer server;

  private OnlineVerifier(ResourceServer server) {
    this.server = server;
  }

  /** Makes a verifier whose calls are a resource server's own. */
  public static OnlineVerifier of(ResourceServer server) {
    return new OnlineVerifier(server);
  }

  @Override
  public VerifiedToken verify(PresentedToken presented, Optional<String> audience)
      throws InvalidTokenException, InsufficientScopeException {
    PresentedUse.checkSpelling(presented.value());
    var verified = VerifiedToken.of(server.verify(presented.value(), presented.certificateThumbprint()));
    PresentedUse.judge(verified, presented, audience);
    return verified;
  }
}
