package internal.qscope.client;

import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A JWT access token that is well-formed; nothing of it is proved.
 *
 * @param keyId names the key that signed it
 */
record SignedToken(String algorithm, String keyId, Map<String, Object> claims) {
  /** QScope's bound: what is longer was not issued by it. */
  private static final int LONGEST_TOKEN = 8_192;

  /** Those that QScope signs with; never {@code none}, never a symmetric one. */
  private static final List<String> ALGORITHMS = List.of("ES256", "EdDSA", "RS256");

  /** RFC 9068 §4; media types compare without case. */
  private static final List<String> TYPES = List.of("at+jwt", "application/at+jwt");

  /**
   * No extension is understood (RFC 7515 §4.1.11); {@code b64} (RFC 7797) changes what is signed, whether it is called
   * critical or not; keys come from the key set alone.
   */
  private static final List<String> REFUSED = List.of("crit", "b64", "jwk", "jku", "x5c", "x5u");

  private static final Pattern PART = Pattern.compile("[A-Za-z0-9_-]+");

  /**
   * Takes a compact JWS apart (RFC 7515 §7.1), as strictly as it was written: three parts of base64url without padding,
   * white space or bits left over (§2), and a header that names a key and an algorithm of QScope and asks for nothing
   * else to be understood.
   */
  static SignedToken read(String token) throws MalformedTokenException {
    var parts = token.length() > LONGEST_TOKEN ? new String[0] : token.split("\\.", -1);
    if (parts.length != 3) {
      throw new MalformedTokenException("not of three parts, or too long");
    }
    var header = JsonObjects.read(bytesIn(parts[0]));
    var payload = bytesIn(parts[1]);
    bytesIn(parts[2]);
    if (!(header.get("alg") instanceof String algorithm) || !ALGORITHMS.contains(algorithm)) {
      throw new MalformedTokenException("not signed with an algorithm of QScope");
    }
    if (!(header.get("kid") instanceof String keyId) || keyId.isEmpty()) {
      throw new MalformedTokenException("names no key");
    }
    if (!(header.get("typ") instanceof String type) || !TYPES.contains(type.toLowerCase(Locale.ROOT))) {
      throw new MalformedTokenException("not an access token: its typ is not at+jwt");
    }
    if (REFUSED.stream().anyMatch(header::containsKey)) {
      throw new MalformedTokenException("its header asks for more than is understood");
    }
    return new SignedToken(algorithm, keyId, JsonObjects.read(payload));
  }

  /** Of the one spelling that some bytes have. */
  private static byte[] bytesIn(String part) throws MalformedTokenException {
    if (!PART.matcher(part).matches() || part.length() % 4 == 1) {
      throw new MalformedTokenException("a part is not base64url");
    }
    var bytes = Base64.getUrlDecoder().decode(part);
    if (!Base64.getUrlEncoder().withoutPadding().encodeToString(bytes).equals(part)) {
      throw new MalformedTokenException("bits are left over in a part");
    }
    return bytes;
  }
}
