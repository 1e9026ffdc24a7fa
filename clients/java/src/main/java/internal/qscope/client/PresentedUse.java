package internal.qscope.client;

import java.util.Optional;

/** What a token has to be at one use. */
final class PresentedUse {
  /** QScope's bound: what is longer was not issued by it. */
  private static final int LONGEST_TOKEN = 8_192;

  private PresentedUse() {}

  /** Refuses what no token is written like. */
  static void checkSpelling(String token) throws InvalidTokenException {
    if (token.isEmpty() || token.length() > LONGEST_TOKEN || !token.chars().allMatch(each -> each < 0x80)) {
      throw new InvalidTokenException("no token is written so");
    }
  }

  /** Compares what a token says with whom and how it was presented to. */
  static void judge(VerifiedToken token, PresentedToken presented, Optional<String> audience)
      throws InvalidTokenException, InsufficientScopeException {
    if (audience.isPresent() && !token.audiences().contains(audience.get())) {
      throw new InvalidTokenException("it is for another audience");
    }
    var bound = token.certificateThumbprint();
    if (bound.isPresent() && !bound.get().equals(presented.certificateThumbprint())) {
      throw new InvalidTokenException("it is bound to a certificate that was not shown");
    }
    for (var scope : presented.requiredScopes()) {
      if (!token.scopes().contains(scope)) {
        throw new InsufficientScopeException(scope);
      }
    }
  }
}
