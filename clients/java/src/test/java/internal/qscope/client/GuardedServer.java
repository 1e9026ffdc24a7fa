package internal.qscope.client;

import com.google.protobuf.Empty;
import io.grpc.ChannelCredentials;
import io.grpc.CallOptions;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCredentials;
import io.grpc.ServerServiceDefinition;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.grpc.ClientInterceptors;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;

/** Serves the methods of the table of guard cases behind a guard. */
final class GuardedServer implements AutoCloseable {
  static final String SERVICE = "grpc.health.v1.Health";
  private static final long PATIENCE_SECONDS = 30;

  /** What let each call in that reached a handler. */
  final List<Optional<VerifiedToken>> admitted = new CopyOnWriteArrayList<>();

  private final Server server;

  GuardedServer(Guard guard, ServerCredentials credentials) throws IOException {
    var service =
        ServerServiceDefinition.builder(SERVICE)
            .addMethod(method("Check"), ServerCalls.asyncUnaryCall(this::answer))
            .addMethod(method("List"), ServerCalls.asyncUnaryCall(this::answer))
            .addMethod(method("Watch"), ServerCalls.asyncServerStreamingCall(this::answer))
            .build();
    server = Grpc.newServerBuilderForPort(0, credentials).intercept(guard).addService(service).build().start();
  }

  /** Calls to the end. */
  void call(String path, List<String> authorization, ChannelCredentials credentials) throws InterruptedException {
    var channel = Grpc.newChannelBuilder("localhost:" + server.getPort(), credentials).build();
    try {
      var metadata = new Metadata();
      var key = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
      authorization.forEach(value -> metadata.put(key, value));
      var calling = ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
      var name = path.substring(path.lastIndexOf('/') + 1);
      var options = CallOptions.DEFAULT.withDeadlineAfter(PATIENCE_SECONDS, TimeUnit.SECONDS);
      if (name.equals("Watch")) {
        var answers =
            ClientCalls.blockingServerStreamingCall(calling, method(name), options, Empty.getDefaultInstance());
        answers.forEachRemaining(each -> {});
      } else {
        ClientCalls.blockingUnaryCall(calling, method(name), options, Empty.getDefaultInstance());
      }
    } finally {
      channel.shutdownNow().awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }
  }

  /** The refusal of a call; empty: it came in. */
  Optional<Refusal> refusal(String path, List<String> authorization, ChannelCredentials credentials)
      throws InterruptedException {
    try {
      call(path, authorization, credentials);
      return Optional.empty();
    } catch (StatusRuntimeException error) {
      return Optional.of(Refusal.of(error));
    }
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  private void answer(Empty request, StreamObserver<Empty> observer) {
    admitted.add(Guard.admittedToken());
    observer.onNext(Empty.getDefaultInstance());
    observer.onCompleted();
  }

  private static MethodDescriptor<Empty, Empty> method(String name) {
    var marshaller = ProtoUtils.marshaller(Empty.getDefaultInstance());
    var type = name.equals("Watch") ? MethodDescriptor.MethodType.SERVER_STREAMING : MethodDescriptor.MethodType.UNARY;
    return MethodDescriptor.newBuilder(marshaller, marshaller)
        .setType(type)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
        .build();
  }
}
