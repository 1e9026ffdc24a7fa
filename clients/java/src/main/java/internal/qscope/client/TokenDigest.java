package internal.qscope.client;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** What a token is kept under, its SHA-256: who reads this process' memory finds no bearer tokens in it. */
record TokenDigest(long first, long second, long third, long fourth) {
  static TokenDigest of(String token) {
    try {
      var bytes = MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.US_ASCII));
      var buffer = ByteBuffer.wrap(bytes);
      return new TokenDigest(buffer.getLong(), buffer.getLong(), buffer.getLong(), buffer.getLong());
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java has SHA-256", impossible);
    }
  }

  @Override
  public int hashCode() {
    return Long.hashCode(first);
  }
}
