package internal.qscope.tour;

import internal.qscope.client.Authentication;
import internal.qscope.client.Connection;
import internal.qscope.v1.MintTokenRequest;
import internal.qscope.v1.TokenServiceGrpc;
import internal.qscope.v1.VerifyTokenRequest;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.util.Base64;

/** A client that is proved by the certificate of its connection (RFC 8705): its token is bound to it. */
final class Certificate {
  private Certificate() {}

  static void visit(Guide guide) throws IOException, GeneralSecurityException {
    var courier = guide.settings.courier();
    var shown = guide.trusting().keyManager(new File(courier.certFile()), new File(courier.keyFile())).build();
    var channel = Connection.open(guide.settings.address(), shown);
    String token;
    try {
      var request =
          MintTokenRequest.newBuilder()
              .setClient(Authentication.withoutSecret(courier.clientId()))
              .addAudiences(guide.settings.warehouseAudience())
              .build();
      var tokens = guide.forStep(TokenServiceGrpc.newBlockingStub(channel), "certificate");
      token = tokens.mintToken(request).getToken().getAccessToken();
    } finally {
      channel.shutdownNow();
    }
    var look = VerifyTokenRequest.newBuilder().setClient(guide.settings.warehouse().proof()).setToken(token);
    var bare = look.build();
    var bound = look.setPresentedCertificateSha256(thumbprint(courier.certFile())).build();
    guide.tell("certificate", Told.claims(guide.tokens("certificate").verifyToken(bound).getClaims()));
    guide.tellRefusal("certificate_missing", () -> guide.tokens("certificate").verifyToken(bare));
  }

  /** {@code x5t#S256} (RFC 8705 §3.1). */
  private static String thumbprint(String file) throws IOException, GeneralSecurityException {
    try (var pem = Files.newInputStream(Path.of(file))) {
      var certificate = CertificateFactory.getInstance("X.509").generateCertificate(pem);
      var digest = MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded());
      return Base64.getUrlEncoder().withoutPadding().encodeToString(digest);
    }
  }
}
