package internal.qscope.client;

/** What is wrong with a text that should be a token. */
final class MalformedTokenException extends Exception {
  private static final long serialVersionUID = 1L;

  MalformedTokenException(String what) {
    super(what);
  }

  MalformedTokenException(String what, Exception cause) {
    super(what, cause);
  }
}
