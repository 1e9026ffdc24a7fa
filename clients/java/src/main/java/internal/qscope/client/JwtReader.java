package internal.qscope.client;

import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads JWT access tokens of one issuer that are proved by the server's keys alone. */
final class JwtReader {
  /** So far ahead of this machine's clock may be what issued a token: QScope's own tolerance. */
  private static final Duration CLOCK_SKEW = Duration.ofSeconds(60);

  private static final int MOST_KEYS = 32;

  /**
   * A JWT of the issuer. Whether it was revoked, whom it is for, and its times are not judged.
   *
   * @param revocationKeys everything that may end it, its signing key included; empty: that is not known, and the
   *     server has to be asked
   * @param earliest from when on it is good, with the tolerance for clocks
   */
  record Proved(VerifiedToken token, List<RevocationKey> revocationKeys, Instant earliest) {}

  private final KeySet keys;
  private final String issuer;

  /** Takes the issuer's keys and its name, to the letter. */
  JwtReader(KeySet keys, String issuer) {
    this.keys = keys;
    this.issuer = issuer;
  }

  /**
   * Reads a JWT; empty: the key set lacks the key that it names, and only the server can tell.
   *
   * @throws StatusRuntimeException without the keys
   */
  Optional<Proved> read(String token) throws InvalidTokenException {
    try {
      var signed = SignedToken.read(token);
      var claims = new AccessClaims(signed.claims());
      if (!claims.issuer().equals(issuer)) {
        throw new InvalidTokenException("it is of another issuer");
      }
      if (!keys.has(signed.keyId())) {
        return Optional.empty();
      }
      keys.checkSignature(token, signed);
      var all = revocationKeysIn(signed.claims().get("rvk"));
      var signingKey = keys.revocationKey(signed.keyId());
      if (!all.isEmpty() && signingKey.isPresent()) {
        all.add(signingKey.get());
      } else {
        all.clear();
      }
      var notBefore = claims.notBeforeTime().filter(claims.issueTime()::isBefore).orElse(claims.issueTime());
      return Optional.of(new Proved(VerifiedToken.of(claims), List.copyOf(all), notBefore.minus(CLOCK_SKEW)));
    } catch (MalformedTokenException error) {
      throw new InvalidTokenException(error.getMessage(), error);
    }
  }

  /** The keys of a claim; none of one that cannot be relied on. */
  private static List<RevocationKey> revocationKeysIn(Object rvk) {
    var keys = new ArrayList<RevocationKey>();
    if (!(rvk instanceof List<?> listed) || listed.size() > MOST_KEYS) {
      return keys;
    }
    for (var each : listed) {
      if (!(each instanceof String text) || !RevocationKey.isBase64Url(text)) {
        return new ArrayList<>();
      }
      keys.add(RevocationKey.ofBase64Url(text));
    }
    return keys;
  }
}
