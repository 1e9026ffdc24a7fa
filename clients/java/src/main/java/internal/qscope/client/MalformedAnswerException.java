package internal.qscope.client;

/** An answer of the server that breaks the contract. */
final class MalformedAnswerException extends Exception {
  private static final long serialVersionUID = 1L;

  MalformedAnswerException(String what) {
    super(what);
  }
}
