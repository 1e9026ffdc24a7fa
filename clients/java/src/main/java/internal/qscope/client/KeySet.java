package internal.qscope.client;

import static org.jose4j.jwa.AlgorithmConstraints.ConstraintType.PERMIT;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import internal.qscope.v1.GetJsonWebKeySetRequest;
import internal.qscope.v1.GetJsonWebKeySetResponse;
import internal.qscope.v1.JsonWebKey;
import internal.qscope.v1.TokenServiceGrpc.TokenServiceBlockingStub;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.security.interfaces.RSAPublicKey;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jose4j.jwa.AlgorithmConstraints;
import org.jose4j.jwk.JsonWebKeySet;
import org.jose4j.jws.JsonWebSignature;
import org.jose4j.lang.JoseException;

/** The server's keys (GetJsonWebKeySet), kept for as long as the server says. */
final class KeySet {
  private static final long DEADLINE_SECONDS = 10;

  /** Keeps tokens with invented key ids from making a call each. */
  private static final long LEAST_AGE = Duration.ofSeconds(10).toMillis();

  /** RFC 7518 §3.3. */
  private static final int LEAST_RSA_BITS = 2_048;

  private final TokenServiceBlockingStub tokens;
  private final Supplier<Moment> clock;

  private List<org.jose4j.jwk.JsonWebKey> keys = List.of();
  private Map<String, RevocationKey> revocationKeys = Map.of();
  private long maxAge;

  /** {@code null}: they were not. */
  private Moment fetchedAt;

  /** How often they were fetched in vain. */
  private volatile int failures;

  private StatusRuntimeException latestFailure;

  /** Takes the stub that the keys are fetched with, when one is first looked for. */
  KeySet(TokenServiceBlockingStub tokens, Supplier<Moment> clock) {
    this.tokens = tokens;
    this.clock = clock;
  }

  /**
   * Whether the set has a key of this id. One that it lacks may be newer than the set.
   *
   * @throws StatusRuntimeException if the set cannot be fetched
   */
  boolean has(String keyId) {
    return has(keysFor(keyId), keyId);
  }

  /**
   * Finds out whether a key of the set signed a token.
   *
   * @throws StatusRuntimeException if the set cannot be fetched
   */
  void checkSignature(String token, SignedToken signed) throws MalformedTokenException {
    // The algorithm is the key's, not the token's to choose.
    var key =
        keysFor(signed.keyId()).stream()
            .filter(each -> each.getKeyId().equals(signed.keyId()) && each.getAlgorithm().equals(signed.algorithm()))
            .findFirst()
            .orElseThrow(() -> new MalformedTokenException("no key of the key set fits the token"));
    if (key.getKey() instanceof RSAPublicKey rsa && rsa.getModulus().bitLength() < LEAST_RSA_BITS) {
      throw new MalformedTokenException("its key is too short");
    }
    var signature = new JsonWebSignature();
    signature.setAlgorithmConstraints(new AlgorithmConstraints(PERMIT, key.getAlgorithm()));
    signature.setKey(key.getKey());
    try {
      signature.setCompactSerialization(token);
      if (!signature.verifySignature()) {
        throw new MalformedTokenException("the signature is not of the key");
      }
    } catch (JoseException error) {
      throw new MalformedTokenException("the signature cannot be checked", error);
    }
  }

  /**
   * What is told when a key of the set is revoked; empty where the set has no such key.
   *
   * @throws StatusRuntimeException if the set cannot be fetched
   */
  Optional<RevocationKey> revocationKey(String keyId) {
    keysFor(keyId);
    synchronized (this) {
      return Optional.ofNullable(revocationKeys.get(keyId));
    }
  }

  private List<org.jose4j.jwk.JsonWebKey> keysFor(String keyId) {
    int before = failures;
    synchronized (this) {
      long age = fetchedAt == null ? Long.MAX_VALUE : clock.get().since(fetchedAt);
      if (age > maxAge || (!has(keys, keyId) && age > LEAST_AGE)) {
        if (failures != before) {
          // Who waited while they were fetched in vain does not wait as long once more.
          throw new StatusRuntimeException(latestFailure.getStatus(), latestFailure.getTrailers());
        }
        fetch();
      }
      return keys;
    }
  }

  private static boolean has(List<org.jose4j.jwk.JsonWebKey> keys, String keyId) {
    return keys.stream().anyMatch(key -> key.getKeyId().equals(keyId));
  }

  private void fetch() {
    var answer = ask();
    try {
      // The answer's JSON is a JSON Web Key Set as it stands, unless it is empty.
      boolean isEmpty = answer.getKeysCount() == 0;
      keys = isEmpty ? List.of() : new JsonWebKeySet(JsonFormat.printer().print(answer)).getJsonWebKeys();
    } catch (InvalidProtocolBufferException | JoseException error) {
      throw new IllegalStateException("the key set cannot be read", error);
    }
    revocationKeys =
        answer.getKeysList().stream()
            .filter(key -> RevocationKey.isBase64Url(key.getRvk()))
            .collect(Collectors.toUnmodifiableMap(JsonWebKey::getKid, key -> RevocationKey.ofBase64Url(key.getRvk())));
    maxAge = TimeUnit.SECONDS.toMillis(answer.getMaxAge().getSeconds());
    fetchedAt = clock.get();
  }

  private GetJsonWebKeySetResponse ask() {
    // Others wait for it, too: it does not end with this caller's own call.
    var context = Context.current().fork();
    var previous = context.attach();
    try {
      var stub = tokens.withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS);
      return stub.getJsonWebKeySet(GetJsonWebKeySetRequest.getDefaultInstance());
    } catch (StatusRuntimeException failure) {
      // If this thread was interrupted, that is nothing to the others.
      if (failure.getStatus().getCode() != Status.Code.CANCELLED) {
        latestFailure = failure;
        failures += 1;
      }
      throw failure;
    } finally {
      context.detach(previous);
    }
  }
}
