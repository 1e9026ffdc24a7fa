package internal.qscope.client;

import com.google.protobuf.Any;
import com.google.protobuf.util.JsonFormat;
import com.google.rpc.ErrorInfo;
import internal.qscope.v1.GetJsonWebKeySetRequest;
import internal.qscope.v1.GetJsonWebKeySetResponse;
import internal.qscope.v1.PollRevocationsRequest;
import internal.qscope.v1.PollRevocationsResponse;
import internal.qscope.v1.TokenServiceGrpc;
import internal.qscope.v1.VerifyTokenRequest;
import internal.qscope.v1.VerifyTokenResponse;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A server on a port of its own that holds calls back until a case answers them. */
final class ScriptedServer implements AutoCloseable {
  static final StatusRuntimeException UNAVAILABLE = Status.UNAVAILABLE.asRuntimeException();
  static final StatusRuntimeException INVALID_TOKEN =
      StatusProto.toStatusRuntimeException(
          com.google.rpc.Status.newBuilder()
              .setCode(Status.Code.UNAUTHENTICATED.value())
              .addDetails(
                  Any.pack(
                      ErrorInfo.newBuilder()
                          .setReason("OAUTH_INVALID_TOKEN")
                          .setDomain("qscope")
                          .putMetadata("token", "presented")
                          .build()))
              .build());

  /** After which a case that hangs has failed. */
  private static final long PATIENCE_SECONDS = 30;

  /** A call that waits for its answer. */
  record Call<Q, A>(Q request, StreamObserver<A> observer) {
    void answer(A answer) {
      observer.onNext(answer);
      observer.onCompleted();
    }

    void fail(StatusRuntimeException status) {
      observer.onError(status);
    }

    boolean isCancelled() {
      return ((ServerCallStreamObserver<A>) observer).isCancelled();
    }
  }

  private final BlockingQueue<Call<PollRevocationsRequest, PollRevocationsResponse>> polls =
      new LinkedBlockingQueue<>();
  private final BlockingQueue<Call<VerifyTokenRequest, VerifyTokenResponse>> questions = new LinkedBlockingQueue<>();
  private final Optional<GetJsonWebKeySetResponse> keys;
  private final Server server;
  private final ManagedChannel channel;

  /** Takes the key set; empty: it cannot be fetched. */
  ScriptedServer(Optional<GetJsonWebKeySetResponse> keys) throws IOException {
    this.keys = keys;
    this.server =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create()).addService(new Script()).build().start();
    this.channel =
        Grpc.newChannelBuilder("127.0.0.1:" + server.getPort(), InsecureChannelCredentials.create()).build();
  }

  TokenServiceGrpc.TokenServiceBlockingStub stub() {
    return TokenServiceGrpc.newBlockingStub(channel);
  }

  Call<PollRevocationsRequest, PollRevocationsResponse> nextPoll() throws InterruptedException {
    return next(polls);
  }

  Call<VerifyTokenRequest, VerifyTokenResponse> nextQuestion() throws InterruptedException {
    return next(questions);
  }

  int questionsNobodyExpected() {
    return questions.size();
  }

  @Override
  public void close() {
    channel.shutdownNow();
    server.shutdownNow();
  }

  static GetJsonWebKeySetResponse keySetIn(String json) throws IOException {
    var keys = GetJsonWebKeySetResponse.newBuilder();
    JsonFormat.parser().ignoringUnknownFields().merge(json, keys);
    return keys.setMaxAge(com.google.protobuf.Duration.newBuilder().setSeconds(300)).build();
  }

  private static <T> T next(BlockingQueue<T> calls) throws InterruptedException {
    var call = calls.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
    if (call == null) {
      throw new AssertionError("no call came");
    }
    return call;
  }

  private final class Script extends TokenServiceGrpc.TokenServiceImplBase {
    @Override
    public void pollRevocations(PollRevocationsRequest request, StreamObserver<PollRevocationsResponse> observer) {
      polls.add(new Call<>(request, observer));
    }

    @Override
    public void verifyToken(VerifyTokenRequest request, StreamObserver<VerifyTokenResponse> observer) {
      questions.add(new Call<>(request, observer));
    }

    @Override
    public void getJsonWebKeySet(GetJsonWebKeySetRequest request, StreamObserver<GetJsonWebKeySetResponse> observer) {
      keys.ifPresentOrElse(
          answer -> {
            observer.onNext(answer);
            observer.onCompleted();
          },
          () -> observer.onError(UNAVAILABLE));
    }
  }
}
