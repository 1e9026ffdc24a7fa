package internal.qscope.tour;

import com.google.gson.Gson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Calls a QScope server with every grant, and prints what it got as one JSON object a line; see README.md. */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 1) {
      System.err.println("usage: java … internal.qscope.tour.Main SETTINGS.json");
      System.exit(2);
    }
    var settings = new Gson().fromJson(Files.readString(Path.of(arguments[0])), Settings.class);
    try (var guide = new Guide(settings)) {
      var stops =
          List.<Stop>of(
              Mint::visit,
              Check::visit,
              Certificate::visit,
              Codes::visit,
              Refresh::visit,
              Devices::visit,
              Exchange::visit,
              Offline::visit,
              Verifiers::visit,
              Revoke::visit,
              Manage::visit,
              Refusals::visit,
              Lost::visit);
      for (var stop : stops) {
        stop.visit(guide);
      }
    }
  }

  /** One part of the service. */
  private interface Stop {
    void visit(Guide guide) throws Exception;
  }
}
