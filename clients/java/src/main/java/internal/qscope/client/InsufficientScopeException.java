package internal.qscope.client;

/** A good token that lacks a scope (RFC 6750 §3.1, insufficient_scope). */
public final class InsufficientScopeException extends Exception {
  private static final long serialVersionUID = 1L;

  InsufficientScopeException(String scope) {
    super("the token lacks " + scope);
  }
}
