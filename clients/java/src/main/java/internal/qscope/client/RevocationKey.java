package internal.qscope.client;

import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.regex.Pattern;

/** The 16 bytes that name a fact on which tokens rest. */
record RevocationKey(long high, long low) {
  static final int BYTES = 16;

  /** The one spelling that 16 bytes have. */
  private static final Pattern BASE64URL = Pattern.compile("[A-Za-z0-9_-]{21}[AQgw]");

  static RevocationKey of(ByteString bytes) {
    return of(bytes.asReadOnlyByteBuffer());
  }

  static boolean isBase64Url(String text) {
    return BASE64URL.matcher(text).matches();
  }

  static RevocationKey ofBase64Url(String text) {
    return of(ByteBuffer.wrap(Base64.getUrlDecoder().decode(text)));
  }

  private static RevocationKey of(ByteBuffer bytes) {
    return new RevocationKey(bytes.getLong(), bytes.getLong());
  }

  @Override
  public int hashCode() {
    // The key is an HMAC: any of its bits are as good as others.
    return Long.hashCode(low);
  }
}
