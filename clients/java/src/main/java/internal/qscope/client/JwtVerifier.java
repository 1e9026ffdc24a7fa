package internal.qscope.client;

import static org.jose4j.jwa.AlgorithmConstraints.ConstraintType.PERMIT;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import internal.qscope.v1.GetJsonWebKeySetRequest;
import internal.qscope.v1.TokenServiceGrpc.TokenServiceBlockingStub;
import java.security.interfaces.RSAPublicKey;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jose4j.jwa.AlgorithmConstraints;
import org.jose4j.jwk.JsonWebKey;
import org.jose4j.jwk.JsonWebKeySet;
import org.jose4j.jws.JsonWebSignature;
import org.jose4j.jwt.consumer.ErrorCodeValidator;
import org.jose4j.jwt.consumer.ErrorCodes;
import org.jose4j.jwt.consumer.InvalidJwtException;
import org.jose4j.lang.JoseException;

/**
 * Verifies JWT access tokens of one issuer for one audience with the server's key set, without a call for each
 * (RFC 9068 §4). It does not see that a token was revoked: that is what VerifyToken is for.
 */
public final class JwtVerifier {
  /**
   * So far ahead of this machine's clock may be what issued a token: QScope's own tolerance. After its {@code exp} no
   * token is taken.
   */
  private static final Duration CLOCK_SKEW = Duration.ofSeconds(60);

  private static final long DEADLINE_SECONDS = 10;

  /** Keeps tokens with invented key ids from making a call each. */
  private static final Duration LEAST_AGE = Duration.ofSeconds(10);

  /** RFC 7518 §3.3. */
  private static final int LEAST_RSA_BITS = 2_048;

  private final TokenServiceBlockingStub tokens;
  private final String issuer;
  private final String audience;
  private final Clock clock;

  private List<JsonWebKey> keys = List.of();
  private Duration maxAge = Duration.ZERO;
  private long fetchedAt;

  /** Takes the stub that the key set is fetched with. */
  public JwtVerifier(TokenServiceBlockingStub tokens, String issuer, String audience) {
    this(tokens, issuer, audience, Clock.systemUTC());
  }

  /** The same with a clock that times are judged by. */
  public JwtVerifier(TokenServiceBlockingStub tokens, String issuer, String audience, Clock clock) {
    this.tokens = tokens;
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
      checkSignature(presented.value(), signed);
      return claims;
    } catch (MalformedTokenException error) {
      var what = new ErrorCodeValidator.Error(ErrorCodes.MISCELLANEOUS, error.getMessage());
      throw new InvalidJwtException("the access token is not good", what, error, null);
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

  private void checkSignature(String token, SignedToken signed) throws MalformedTokenException {
    // The algorithm is the key's, not the token's to choose.
    var key =
        keysFor(signed.keyId()).stream()
            .filter(each -> each.getKeyId().equals(signed.keyId()) && each.getAlgorithm().equals(signed.algorithm()))
            .findFirst()
            .orElseThrow(() -> new MalformedTokenException("no key of the key set fits the token"));
    insist(
        !(key.getKey() instanceof RSAPublicKey rsa) || rsa.getModulus().bitLength() >= LEAST_RSA_BITS,
        "its key is too short");
    var signature = new JsonWebSignature();
    signature.setAlgorithmConstraints(new AlgorithmConstraints(PERMIT, key.getAlgorithm()));
    signature.setKey(key.getKey());
    try {
      signature.setCompactSerialization(token);
      insist(signature.verifySignature(), "the signature is not of the key");
    } catch (JoseException error) {
      throw new MalformedTokenException("the signature cannot be checked", error);
    }
  }

  private synchronized List<JsonWebKey> keysFor(String kid) {
    var age = Duration.ofNanos(System.nanoTime() - fetchedAt);
    boolean isKnown = keys.stream().anyMatch(key -> key.getKeyId().equals(kid));
    if (keys.isEmpty() || age.compareTo(maxAge) > 0 || (!isKnown && age.compareTo(LEAST_AGE) > 0)) {
      fetch();
    }
    return keys;
  }

  private void fetch() {
    var stub = tokens.withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS);
    var answer = stub.getJsonWebKeySet(GetJsonWebKeySetRequest.getDefaultInstance());
    try {
      // The answer's JSON is a JSON Web Key Set as it stands.
      keys = new JsonWebKeySet(JsonFormat.printer().print(answer)).getJsonWebKeys();
    } catch (InvalidProtocolBufferException | JoseException error) {
      throw new IllegalStateException("the key set cannot be read", error);
    }
    maxAge = Duration.ofSeconds(answer.getMaxAge().getSeconds());
    fetchedAt = System.nanoTime();
  }
}
