package internal.qscope.client;

import static org.testng.Assert.assertFalse;
import static org.testng.Assert.assertThrows;
import static org.testng.Assert.assertTrue;

import com.google.gson.Gson;
import io.grpc.ChoiceChannelCredentials;
import io.grpc.CompositeChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.testng.annotations.Test;

public class ConnectionTest {
  /** The cases that the libraries of all languages are tested with. */
  private record Cases(List<String> loopback, List<String> elsewhere) {}

  private static Cases cases() throws IOException {
    return new Gson().fromJson(Files.readString(Path.of("../conformance/plaintext-cases.json")), Cases.class);
  }

  @Test
  public void plaintextStaysOnThisMachineUnlessAskedFor() throws IOException {
    var plaintext = InsecureChannelCredentials.create();
    for (var target : cases().loopback()) {
      assertTrue(Loopback.isLoopback(target), target);
    }
    for (var target : cases().elsewhere()) {
      assertFalse(Loopback.isLoopback(target), target);
      assertThrows(IllegalArgumentException.class, () -> Connection.open(target, plaintext));
    }
  }

  @Test
  public void plaintextIsRecognizedInsideOtherCredentials() {
    var plaintext = InsecureChannelCredentials.create();
    var choice = ChoiceChannelCredentials.create(TlsChannelCredentials.create(), plaintext);
    assertThrows(IllegalArgumentException.class, () -> Connection.open("qscope.internal:50051", choice));
    var composite = CompositeChannelCredentials.create(plaintext, new BearerToken(new TokenSource(() -> null)));
    assertThrows(IllegalArgumentException.class, () -> Connection.open("qscope.internal:50051", composite));
  }

  @Test
  public void plaintextLeavesThisMachineWhereItIsAskedFor() {
    var target = "dns:///qscope.internal:50051";
    Connection.openPlaintext(target).shutdownNow();
    Connection.open(target, TlsChannelCredentials.create()).shutdownNow();
    Connection.open("127.0.0.1:50051", InsecureChannelCredentials.create()).shutdownNow();
  }
}
