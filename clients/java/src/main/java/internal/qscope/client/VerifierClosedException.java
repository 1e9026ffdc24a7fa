package internal.qscope.client;

/** A verifier that was closed says nothing of any token. */
public final class VerifierClosedException extends IllegalStateException {
  private static final long serialVersionUID = 1L;

  VerifierClosedException() {
    super("the verifier was closed");
  }
}
