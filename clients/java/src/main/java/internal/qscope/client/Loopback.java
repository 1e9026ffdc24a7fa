package internal.qscope.client;

import java.util.List;
import java.util.regex.Pattern;

/** Whether a server is on this machine. */
final class Loopback {
  /** As it is written; other spellings ({@code 127.1}, {@code 0x7f.1}) are not taken for a host of this machine. */
  private static final Pattern HOST =
      Pattern.compile(
          "localhost|127(?:\\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})){3}|\\[::1\\]", Pattern.CASE_INSENSITIVE);

  private static final Pattern ENDPOINT = Pattern.compile("(\\[[^\\]]*\\]|[^\\[\\]:/@,]*)(?::[0-9]+)?");
  private static final Pattern SCHEME = Pattern.compile("(dns|passthrough|ipv4|ipv6):(.*)", Pattern.DOTALL);

  private Loopback() {}

  /** Whether a gRPC target is on this machine: plaintext to it leaves no trace on any network. */
  static boolean isLoopback(String target) {
    if (target.startsWith("unix:") || target.startsWith("unix-abstract:")) {
      return true;
    }
    var parts = SCHEME.matcher(target);
    if (!parts.matches()) {
      return isLoopbackEndpoint(target);
    }
    // Only an empty authority leaves the name to this machine.
    var endpoints = parts.group(2).startsWith("///") ? parts.group(2).substring(3) : parts.group(2);
    return switch (parts.group(1)) {
      case "dns", "passthrough" -> isLoopbackEndpoint(endpoints);
      default -> List.of(endpoints.split(",", -1)).stream().allMatch(Loopback::isLoopbackEndpoint);
    };
  }

  private static boolean isLoopbackEndpoint(String text) {
    var parts = ENDPOINT.matcher(text);
    return parts.matches() && HOST.matcher(parts.group(1)).matches();
  }
}
