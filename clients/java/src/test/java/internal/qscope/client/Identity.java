package internal.qscope.client;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;

/** A key and a certificate for localhost that it signed itself, made by {@code keytool}. */
record Identity(X509Certificate certificate, KeyManager[] keys) {
  private static final String PASSWORD = "password";

  static Identity make() throws IOException, GeneralSecurityException, InterruptedException {
    var folder = Files.createTempDirectory("qscope-identity");
    var file = folder.resolve("identity.p12");
    try {
      var command =
          List.of(
              Path.of(System.getProperty("java.home"), "bin", "keytool").toString(), "-genkeypair",
              "-alias", "own", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=localhost",
              "-ext", "SAN=dns:localhost", "-storetype", "PKCS12", "-keystore", file.toString(), "-storepass", PASSWORD);
      int code = new ProcessBuilder(command).inheritIO().start().waitFor();
      if (code != 0) {
        throw new IOException("keytool ended with " + code);
      }
      var store = KeyStore.getInstance(file.toFile(), PASSWORD.toCharArray());
      var managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      managers.init(store, PASSWORD.toCharArray());
      return new Identity((X509Certificate) store.getCertificate("own"), managers.getKeyManagers());
    } finally {
      Files.deleteIfExists(file);
      Files.delete(folder);
    }
  }

  /** Trusts these certificates alone. */
  static TrustManager[] trusting(Identity... identities) throws IOException, GeneralSecurityException {
    var store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    for (int index = 0; index < identities.length; index += 1) {
      store.setCertificateEntry("trusted-" + index, identities[index].certificate);
    }
    var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(store);
    return managers.getTrustManagers();
  }
}
