package internal.qscope.client;

import internal.qscope.v1.ClientAuthentication;

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
}
