package internal.qscope.client;

import java.util.Optional;

/**
 * Judges access tokens: a {@link CachingVerifier}, from memory, or an {@link OnlineVerifier}, which asks about each.
 */
@FunctionalInterface
public interface TokenVerifier {
  /**
   * Returns what a valid token says that permits what it has to.
   *
   * @param audience the one that the token must be for; empty: tokens for anybody are taken
   * @throws io.grpc.StatusRuntimeException if the server had to be asked, and could not be: nothing is known of the
   *     token, and it is not to be accepted
   */
  VerifiedToken verify(PresentedToken presented, Optional<String> audience)
      throws InvalidTokenException, InsufficientScopeException;
}
