package internal.qscope.client;

import com.google.gson.Gson;
import io.grpc.ChannelCredentials;
import io.grpc.ChoiceChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** A connection with the published retry policy. */
public final class Connection {
  private static final Map<String, ?> SERVICE_CONFIG = read("service-config.json");
  private static final long MAX_RECONNECT_BACKOFF_MS = 10_000;

  private Connection() {}

  /**
   * Connects to QScope at an address such as {@code dns:///qscope.internal:50051}. A connection is made once and shared
   * by all threads. Calls are spread over all addresses of the name; look-ups and minting are sent again by the library
   * while the server is away, whatever spends a code or a refresh token is not.
   *
   * <p>Plaintext goes to a loopback address or a Unix socket only: elsewhere anybody could read the secrets and tokens of
   * the calls and put in keys of their own.
   */
  public static ManagedChannel open(String target, ChannelCredentials credentials) {
    if (mayBePlaintext(credentials) && !Loopback.isLoopback(target)) {
      throw new IllegalArgumentException(
          target + " is not on this machine: secrets do not go there in plaintext (or say openPlaintext)");
    }
    return build(target, credentials);
  }

  /** The same in plaintext wherever it goes: inside a mesh that encrypts. */
  public static ManagedChannel openPlaintext(String target) {
    return build(target, InsecureChannelCredentials.create());
  }

  /** Whether nothing encrypts, whatever is laid around it. */
  private static boolean mayBePlaintext(ChannelCredentials credentials) {
    var bare = credentials.withoutBearerTokens();
    return bare instanceof InsecureChannelCredentials
        || (bare instanceof ChoiceChannelCredentials choice
            && choice.getCredentialsList().stream().anyMatch(Connection::mayBePlaintext));
  }

  private static ManagedChannel build(String target, ChannelCredentials credentials) {
    var channel = Grpc.newChannelBuilder(target, credentials)
        .defaultServiceConfig(SERVICE_CONFIG)
        // Finds out that a watched server is gone, where no packet would tell.
        .keepAliveTime(5, TimeUnit.MINUTES)
        .keepAliveTimeout(10, TimeUnit.SECONDS)
        .build();
    boundReconnectBackoff(channel);
    return channel;
  }

  /**
   * Has the channel try again after {@code maxReconnectBackoffMs} of clients/channel-settings.json at the latest. gRPC's
   * own pauses grow to 120 s, in which instances that were restarted one after the other may all have gone, and in Java
   * no option shortens them.
   */
  private static void boundReconnectBackoff(ManagedChannel channel) {
    var timer = Executors.newSingleThreadScheduledExecutor(task -> {
      var thread = new Thread(task, "qscope-reconnect");
      thread.setDaemon(true);
      return thread;
    });
    timer.scheduleWithFixedDelay(
        () -> {
          if (channel.isShutdown()) timer.shutdown();
          else channel.resetConnectBackoff();
        },
        MAX_RECONNECT_BACKOFF_MS, MAX_RECONNECT_BACKOFF_MS, TimeUnit.MILLISECONDS);
  }

  @SuppressWarnings("unchecked") // a JSON object, as the class path has it
  private static Map<String, ?> read(String name) {
    try (var stream = Objects.requireNonNull(Connection.class.getResourceAsStream(name), name);
        var text = new InputStreamReader(stream, StandardCharsets.UTF_8)) {
      return new Gson().fromJson(text, Map.class);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
