package internal.qscope.client;

import internal.qscope.v1.TokenServiceGrpc.TokenServiceBlockingStub;
import java.time.Clock;
import java.time.Duration;
import org.jose4j.jwt.consumer.ErrorCodeValidator;
import org.jose4j.jwt.consumer.ErrorCodes;
import org.jose4j.jwt.consumer.InvalidJwtException;

/**
 * Verifies JWT access tokens of one issuer for one audience with the server's key set, without a call for each
 * (RFC 9068 §4). It does not see that a token was revoked: that is what VerifyToken and {@link CachingVerifier} are
 * for.
 */
public final class JwtVerifier {
  /**
   * So far ahead of this machine's clock may be what issued a token: QScope's own tolerance. After its {@code exp} no
   * token is taken.
   */
  private static final Duration CLOCK_SKEW = Duration.ofSeconds(60);

  private final KeySet keys;
  private final String issuer;
  private final String audience;
  private final Clock clock;

  /** Takes the stub that the key set is fetched with. */
  public JwtVerifier(TokenServiceBlockingStub tokens, String issuer, String audience) {
    this(tokens, issuer, audience, Clock.systemUTC());
  }

  /** The same with a clock that times are judged by. */
  public JwtVerifier(TokenServiceBlockingStub tokens, String issuer, String audience, Clock clock) {
    this.keys = new KeySet(tokens, Moment::now);
    this.issuer = issuer;
    this.audience = audience;
    this.clock = clock;
  }

  /** Returns what a valid token says whose bearer showed no certificate. */
  public AccessClaims verify(String token) throws InvalidJwtException {
    return valid(PresentedToken.of(token));
  }

  /** Returns what a valid token says that permits what it has to. */
  public AccessClaims verify(PresentedToken presented) throws InvalidJwtException, InsufficientScopeException {
    var claims = valid(presented);
    for (var scope : presented.requiredScopes()) {
      if (!claims.scopes().contains(scope)) {
        throw new InsufficientScopeException(scope);
      }
    }
    return claims;
  }

  private AccessClaims valid(PresentedToken presented) throws InvalidJwtException {
    try {
      var signed = SignedToken.read(presented.value());
      var claims = new AccessClaims(signed.claims());
      judge(claims, presented);
      keys.checkSignature(presented.value(), signed);
      return claims;
    } catch (MalformedTokenException error) {
      var what = new ErrorCodeValidator.Error(ErrorCodes.MISCELLANEOUS, error.getMessage());
      throw new InvalidJwtException("the access token is not valid", what, error, null);
    }
  }

  /** Compares what a token says with whom, when and how it was presented to. */
  private void judge(AccessClaims claims, PresentedToken presented) throws MalformedTokenException {
    var now = clock.instant();
    var latest = now.plus(CLOCK_SKEW);
    insist(claims.issuer().equals(issuer), "it is of another issuer");
    insist(claims.audiences().contains(audience), "it is for another audience");
    insist(now.isBefore(claims.expireTime()), "it has expired");
    insist(!claims.issueTime().isAfter(latest), "its time has not come");
    insist(claims.notBeforeTime().filter(latest::isBefore).isEmpty(), "its time has not come");
    var bound = claims.certificateThumbprint();
    insist(
        bound.isEmpty() || bound.get().equals(presented.certificateThumbprint()),
        "it is bound to a certificate that was not shown");
  }

  private static void insist(boolean isSo, String otherwise) throws MalformedTokenException {
    if (!isSo) {
      throw new MalformedTokenException(otherwise);
    }
  }
}
