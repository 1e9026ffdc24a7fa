package internal.qscope.client;

/** A token that is not good: its bearer is to be turned away (RFC 6750 §3.1, {@code invalid_token}). */
public final class InvalidTokenException extends Exception {
  private static final long serialVersionUID = 1L;

  InvalidTokenException(String message) {
    super(message);
  }

  InvalidTokenException(String message, Throwable cause) {
    super(message, cause);
  }
}
