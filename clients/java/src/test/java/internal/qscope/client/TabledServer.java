package internal.qscope.client;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import internal.qscope.v1.Confirmation;
import internal.qscope.v1.PollRevocationsRequest;
import internal.qscope.v1.PollRevocationsResponse;
import internal.qscope.v1.SubjectType;
import internal.qscope.v1.TokenClaims;
import internal.qscope.v1.TokenServiceGrpc;
import internal.qscope.v1.TokenUse;
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
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.StreamSupport;

/** QScope on a port of its own, as the table of guard cases has it. It tells of no revocation. */
final class TabledServer implements AutoCloseable {
  private static final long LIFE_SECONDS = 3_600;
  private static final long POLL_NANOS = 50_000_000;

  private final JsonObject table;
  private final Optional<String> boundTo;
  private final AtomicInteger asked = new AtomicInteger();
  private final Server server;
  private final ManagedChannel channel;

  /** Takes the thumbprint that all tokens are bound to. */
  TabledServer(JsonObject table, Optional<String> boundTo) throws IOException {
    this.table = table;
    this.boundTo = boundTo;
    this.server =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create()).addService(new Answers()).build().start();
    this.channel =
        Grpc.newChannelBuilder("127.0.0.1:" + server.getPort(), InsecureChannelCredentials.create()).build();
  }

  /** How often VerifyToken was called. */
  int asked() {
    return asked.get();
  }

  ResourceServer caller() {
    return ResourceServer.of(
        TokenServiceGrpc.newBlockingStub(channel), Authentication.withSecret("warehouse", "any"));
  }

  @Override
  public void close() {
    channel.shutdownNow();
    server.shutdownNow();
  }

  private static StatusRuntimeException refusalCalled(String name) {
    return switch (name) {
      case "invalid_token" -> ScriptedServer.INVALID_TOKEN;
      case "unavailable" -> ScriptedServer.UNAVAILABLE;
      case "invalid_client" ->
          StatusProto.toStatusRuntimeException(
              com.google.rpc.Status.newBuilder()
                  .setCode(Status.Code.UNAUTHENTICATED.value())
                  .addDetails(
                      com.google.protobuf.Any.pack(
                          com.google.rpc.ErrorInfo.newBuilder()
                              .setReason("OAUTH_INVALID_CLIENT")
                              .setDomain("qscope")
                              .build()))
                  .build());
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static List<String> texts(JsonArray array) {
    return StreamSupport.stream(array.spliterator(), false).map(each -> each.getAsString()).toList();
  }

  private final class Answers extends TokenServiceGrpc.TokenServiceImplBase {
    @Override
    public void verifyToken(VerifyTokenRequest request, StreamObserver<VerifyTokenResponse> observer) {
      asked.incrementAndGet();
      var token = request.getToken();
      var told = table.getAsJsonObject("tokens").get(token);
      if (told == null || told.isJsonPrimitive()) {
        observer.onError(refusalCalled(told == null ? "invalid_token" : told.getAsString()));
        return;
      }
      if (boundTo.isPresent() && !boundTo.get().equals(request.getPresentedCertificateSha256())) {
        observer.onError(ScriptedServer.INVALID_TOKEN);
        return;
      }
      long now = Instant.now().getEpochSecond();
      var claims =
          TokenClaims.newBuilder()
              .setTokenId(token)
              .setClientId("orders")
              .setSubject("orders")
              .setSubjectType(SubjectType.SUBJECT_TYPE_CLIENT)
              .addAllScopes(texts(told.getAsJsonObject().getAsJsonArray("scopes")))
              .addAllAudiences(texts(told.getAsJsonObject().getAsJsonArray("audiences")))
              .setIssueTime(Timestamp.newBuilder().setSeconds(now))
              .setExpireTime(Timestamp.newBuilder().setSeconds(now + LIFE_SECONDS))
              .setTokenUse(TokenUse.TOKEN_USE_ACCESS)
              .setIssuer(table.get("issuer").getAsString())
              .addRevocationKeys(
                  ByteString.copyFrom(Arrays.copyOf(token.getBytes(StandardCharsets.US_ASCII), RevocationKey.BYTES)));
      boundTo.ifPresent(thumbprint -> claims.setConfirmation(Confirmation.newBuilder().setX5TS256(thumbprint)));
      observer.onNext(VerifyTokenResponse.newBuilder().setClaims(claims).build());
      observer.onCompleted();
    }

    /** Takes a moment after the first answer. */
    @Override
    public void pollRevocations(PollRevocationsRequest request, StreamObserver<PollRevocationsResponse> observer) {
      if (!request.getCursor().isEmpty()) {
        LockSupport.parkNanos(POLL_NANOS);
      }
      observer.onNext(PollRevocationsResponse.newBuilder().setNextCursor("next").build());
      observer.onCompleted();
    }
  }
}
