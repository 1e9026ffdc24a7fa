package internal.qscope.client;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.Base64;

/**
 * What ties an authorization code to the program that asked for it (RFC 7636): a verifier, which stays in the program,
 * and its challenge, which goes along with the user.
 */
public record Pkce(String verifier, String challenge) {
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final Base64.Encoder BASE64URL = Base64.getUrlEncoder().withoutPadding();

  /** Draws a verifier of 256 bits. */
  public static Pkce draw() {
    var drawn = new byte[32];
    RANDOM.nextBytes(drawn);
    var verifier = BASE64URL.encodeToString(drawn);
    return new Pkce(verifier, BASE64URL.encodeToString(sha256(verifier)));
  }

  private static byte[] sha256(String text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.US_ASCII));
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible); // every Java has it
    }
  }
}
