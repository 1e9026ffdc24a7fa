package internal.qscope.client;

import internal.qscope.v1.ClientAuthentication;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** How a client proves itself in a request. */
public final class Authentication {
  private Authentication() {}

  /** Proves a confidential client by its secret. */
  public static ClientAuthentication withSecret(String clientId, String secret) {
    return ClientAuthentication.newBuilder().setClientId(clientId).setClientSecret(secret).build();
  }

  /** Names a public client, or one that is proved by the certificate of its connection. */
  public static ClientAuthentication withoutSecret(String clientId) {
    return ClientAuthentication.newBuilder().setClientId(clientId).build();
  }

  /**
   * Proves a FEDERATED_JWT client by the token that its platform puts into a file (RFC 7523 §2.2). The platform
   * replaces it before it ends: call this for each call, as {@link TokenSource#federated} does.
   */
  public static ClientAuthentication withAssertionFile(String clientId, Path file) throws IOException {
    var assertion = Files.readString(file).strip();
    return ClientAuthentication.newBuilder().setClientId(clientId).setClientAssertion(assertion).build();
  }
}
