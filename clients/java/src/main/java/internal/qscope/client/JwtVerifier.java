package internal.qscope.client;

import static org.jose4j.jwa.AlgorithmConstraints.ConstraintType.PERMIT;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import internal.qscope.v1.GetJsonWebKeySetRequest;
import internal.qscope.v1.TokenServiceGrpc.TokenServiceBlockingStub;
import java.security.Key;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jose4j.jwk.JsonWebKey;
import org.jose4j.jwk.JsonWebKeySet;
import org.jose4j.jws.AlgorithmIdentifiers;
import org.jose4j.jws.JsonWebSignature;
import org.jose4j.jwt.JwtClaims;
import org.jose4j.jwt.consumer.InvalidJwtException;
import org.jose4j.jwt.consumer.JwtConsumer;
import org.jose4j.jwt.consumer.JwtConsumerBuilder;
import org.jose4j.jwx.JsonWebStructure;
import org.jose4j.lang.JoseException;
import org.jose4j.lang.UnresolvableKeyException;

/**
 * Verifies JWT access tokens of one issuer for one audience with the server's key set, without a call for each
 * (RFC 9068 §4). It does not see that a token was revoked: that is what VerifyToken is for.
 */
public final class JwtVerifier {
  private static final int CLOCK_SKEW_SECONDS = 30;
  private static final long DEADLINE_SECONDS = 10;

  /** Keeps tokens with invented key ids from making a call each. */
  private static final Duration LEAST_AGE = Duration.ofSeconds(10);

  private final TokenServiceBlockingStub tokens;
  private final JwtConsumer consumer;

  private List<JsonWebKey> keys = List.of();
  private Duration maxAge = Duration.ZERO;
  private long fetchedAt;

  /** Takes the stub that the key set is fetched with. */
  public JwtVerifier(TokenServiceBlockingStub tokens, String issuer, String audience) {
    this.tokens = tokens;
    this.consumer =
        new JwtConsumerBuilder()
            .setExpectedType(true, "at+jwt")
            // Those that QScope signs with; never `none`, never a symmetric one.
            .setJwsAlgorithmConstraints(
                PERMIT,
                AlgorithmIdentifiers.ECDSA_USING_P256_CURVE_AND_SHA256,
                AlgorithmIdentifiers.EDDSA,
                AlgorithmIdentifiers.RSA_USING_SHA256)
            .setVerificationKeyResolver(this::key)
            .setExpectedIssuer(issuer)
            .setExpectedAudience(audience)
            .setRequireExpirationTime()
            .setRequireIssuedAt()
            .setRequireSubject()
            .setRequireJwtId()
            .setAllowedClockSkewInSeconds(CLOCK_SKEW_SECONDS)
            .build();
  }

  /** Returns what a valid token says. */
  public JwtClaims verify(String token) throws InvalidJwtException {
    return consumer.processToClaims(token);
  }

  private Key key(JsonWebSignature signature, List<JsonWebStructure> nested) throws UnresolvableKeyException {
    var kid = signature.getKeyIdHeaderValue();
    var algorithm = signature.getAlgorithmHeaderValue();
    return keysFor(kid).stream()
        .filter(key -> key.getKeyId().equals(kid) && key.getAlgorithm().equals(algorithm))
        .findFirst()
        .map(JsonWebKey::getKey)
        .orElseThrow(() -> new UnresolvableKeyException("no key of the key set fits the token"));
  }

  private synchronized List<JsonWebKey> keysFor(String kid) throws UnresolvableKeyException {
    var age = Duration.ofNanos(System.nanoTime() - fetchedAt);
    boolean isKnown = keys.stream().anyMatch(key -> key.getKeyId().equals(kid));
    if (keys.isEmpty() || age.compareTo(maxAge) > 0 || (!isKnown && age.compareTo(LEAST_AGE) > 0)) {
      fetch();
    }
    return keys;
  }

  private void fetch() throws UnresolvableKeyException {
    var stub = tokens.withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS);
    var answer = stub.getJsonWebKeySet(GetJsonWebKeySetRequest.getDefaultInstance());
    try {
      // The answer's JSON is a JSON Web Key Set as it stands.
      keys = new JsonWebKeySet(JsonFormat.printer().print(answer)).getJsonWebKeys();
    } catch (InvalidProtocolBufferException | JoseException error) {
      throw new UnresolvableKeyException("the key set cannot be read", error);
    }
    maxAge = Duration.ofSeconds(answer.getMaxAge().getSeconds());
    fetchedAt = System.nanoTime();
  }
}
