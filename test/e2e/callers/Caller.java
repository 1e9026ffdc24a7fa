import io.grpc.CallOptions;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;

/**
 * Makes unary calls with grpc-java on several connections until its standard input ends. Then it
 * prints the number of calls by status, as JSON. The library retries only calls that no server has seen.
 */
public final class Caller {
  private static final MethodDescriptor.Marshaller<byte[]> AS_IS = new MethodDescriptor.Marshaller<>() {
    @Override
    public InputStream stream(byte[] message) {
      return new ByteArrayInputStream(message);
    }

    @Override
    public byte[] parse(InputStream message) {
      try {
        return message.readAllBytes();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  };

  /** Arguments: address, path of the method without the first slash, request in hexadecimal, connections, concurrent calls on each. */
  public static void main(String[] arguments) throws Exception {
    var method = MethodDescriptor.newBuilder(AS_IS, AS_IS)
        .setType(MethodDescriptor.MethodType.UNARY)
        .setFullMethodName(arguments[1])
        .build();
    var request = HexFormat.of().parseHex(arguments[2]);
    var ends = new ConcurrentSkipListMap<String, Integer>();
    var stopping = new AtomicBoolean();
    var channels = new ArrayList<ManagedChannel>();
    var callers = new ArrayList<Thread>();
    for (var i = 0; i < Integer.parseInt(arguments[3]); i++) {
      var channel = Grpc.newChannelBuilder("dns:///" + arguments[0], InsecureChannelCredentials.create()).build();
      channels.add(channel);
      for (var j = 0; j < Integer.parseInt(arguments[4]); j++) {
        callers.add(new Thread(() -> {
          while (!stopping.get()) {
            var end = endOf(channel, method, request);
            ends.merge(end, 1, Integer::sum);
            if (!end.equals("OK")) pause();
          }
        }));
      }
    }
    callers.forEach(Thread::start);
    System.in.readAllBytes();
    stopping.set(true);
    for (var caller : callers) caller.join();
    channels.forEach(ManagedChannel::shutdownNow);
    System.out.println(ends.entrySet().stream().map(Caller::field).collect(Collectors.joining(",", "{", "}")));
  }

  private static String endOf(ManagedChannel channel, MethodDescriptor<byte[], byte[]> method, byte[] request) {
    try {
      ClientCalls.blockingUnaryCall(
          channel, method, CallOptions.DEFAULT.withDeadlineAfter(30, TimeUnit.SECONDS), request);
      return "OK";
    } catch (StatusRuntimeException error) {
      return error.getStatus().getCode() + ": " + error.getStatus().getDescription();
    }
  }

  /** While no server is reachable, calls fail at once. */
  private static void pause() {
    try {
      Thread.sleep(10);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }

  private static String field(Map.Entry<String, Integer> end) {
    return "\"" + end.getKey().replaceAll("[\"\\\\\\p{Cntrl}]", " ") + "\":" + end.getValue();
  }
}
