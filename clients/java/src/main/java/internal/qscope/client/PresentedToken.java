package internal.qscope.client;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.List;

/**
 * A token that was handed to a server, and how.
 *
 * @param certificateThumbprint of the certificate that the bearer showed in the TLS handshake ({@code x5t#S256}, RFC
 *     8705 §3.1); {@code null}: none
 * @param requiredScopes what it is to permit
 */
public record PresentedToken(String value, String certificateThumbprint, List<String> requiredScopes) {
  public PresentedToken {
    requiredScopes = List.copyOf(requiredScopes);
  }

  /** A token whose bearer showed no certificate. */
  public static PresentedToken of(String value) {
    return new PresentedToken(value, null, List.of());
  }

  /** The same, whose bearer showed a certificate; without one, a token that is bound to one is refused. */
  public PresentedToken with(X509Certificate certificate) throws CertificateEncodingException {
    try {
      var hash = MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded());
      return withThumbprint(Base64.getUrlEncoder().withoutPadding().encodeToString(hash));
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java has SHA-256", impossible);
    }
  }

  /** The same by the certificate's thumbprint. */
  public PresentedToken withThumbprint(String thumbprint) {
    return new PresentedToken(value, thumbprint, requiredScopes);
  }

  /** The same, which has to have these scopes. */
  public PresentedToken requiring(String... scopes) {
    return new PresentedToken(value, certificateThumbprint, List.of(scopes));
  }
}
