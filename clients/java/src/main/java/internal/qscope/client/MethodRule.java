package internal.qscope.client;

import java.util.List;
import java.util.Optional;

/**
 * Who may call a method of a guarded server.
 *
 * @param isOpen anyone may, without a token
 * @param scopes those that a token has to have, all of them; none: any good token
 * @param audience must be among a token's, instead of the guard's own
 */
public record MethodRule(boolean isOpen, List<String> scopes, Optional<String> audience) {
  public MethodRule {
    scopes = List.copyOf(scopes);
  }

  /** Anyone may call. */
  public static MethodRule anyone() {
    return new MethodRule(true, List.of(), Optional.empty());
  }

  /** Bearers of a token with all of these scopes may call. */
  public static MethodRule scopes(String... scopes) {
    return new MethodRule(false, List.of(scopes), Optional.empty());
  }

  /** The same for tokens of another audience than the guard's. */
  public MethodRule withAudience(String audience) {
    return new MethodRule(isOpen, scopes, Optional.of(audience));
  }
}
