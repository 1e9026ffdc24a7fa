package internal.qscope.tour;

import internal.qscope.client.BearerToken;
import internal.qscope.client.Connection;
import internal.qscope.client.Refusal;
import internal.qscope.client.TokenSource;
import internal.qscope.v1.ClientServiceGrpc;
import internal.qscope.v1.ClientServiceGrpc.ClientServiceBlockingStub;
import internal.qscope.v1.DeviceServiceGrpc;
import internal.qscope.v1.DeviceServiceGrpc.DeviceServiceBlockingStub;
import internal.qscope.v1.IntrospectTokenRequest;
import internal.qscope.v1.MintTokenRequest;
import internal.qscope.v1.TokenServiceGrpc;
import internal.qscope.v1.TokenServiceGrpc.TokenServiceBlockingStub;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** What every stop of the tour uses: connects to the server of the settings, and prints what the stops tell. */
final class Guide implements AutoCloseable {
  static final Metadata.Key<String> RAY_ID = Metadata.Key.of("x-ray-id", Metadata.ASCII_STRING_MARSHALLER);

  /** Well-formed, and issued to nobody. */
  static final String NOBODYS = "qat_0000000000000000000000000000000000000000000";

  /** Bounds each call: without a deadline, a call may wait forever. */
  private static final long PATIENCE_SECONDS = 10;

  final Settings settings;

  /** Mint their own bearer tokens: the one may record what users decided, the other read clients and tokens. */
  final BearerToken frontEnd;

  final BearerToken operator;
  private final ManagedChannel channel;

  Guide(Settings settings) throws IOException {
    this.settings = settings;
    this.channel = Connection.open(settings.address(), trusting().build());
    this.frontEnd = bearerOf(settings.frontEnd());
    this.operator = bearerOf(settings.operator());
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }

  /** TLS that trusts the CA of the settings. */
  TlsChannelCredentials.Builder trusting() throws IOException {
    return TlsChannelCredentials.newBuilder().trustManager(new File(settings.caFile()));
  }

  private BearerToken bearerOf(Settings.Registered client) {
    var request = MintTokenRequest.newBuilder().setClient(client.proof()).build();
    return new BearerToken(new TokenSource(() -> tokens("bearer").mintToken(request).getToken()));
  }

  /** The service for the calls of one step; the server's log and audit log speak of them under its ray id. */
  TokenServiceBlockingStub tokens(String step) {
    return forStep(TokenServiceGrpc.newBlockingStub(channel), step);
  }

  DeviceServiceBlockingStub devices(String step) {
    return forStep(DeviceServiceGrpc.newBlockingStub(channel), step);
  }

  ClientServiceBlockingStub clients(String step) {
    return forStep(ClientServiceGrpc.newBlockingStub(channel), step);
  }

  <S extends AbstractStub<S>> S forStep(S stub, String step) {
    return stub.withDeadlineAfter(PATIENCE_SECONDS, TimeUnit.SECONDS).withInterceptors(named(step));
  }

  private ClientInterceptor named(String step) {
    var headers = new Metadata();
    headers.put(RAY_ID, settings.rayPrefix() + step);
    return MetadataUtils.newAttachHeadersInterceptor(headers);
  }

  void tell(String step, Map<String, ?> told) {
    System.out.println(Told.line(step, told));
  }

  /** Prints a refusal that has to come. */
  void tellRefusal(String step, Runnable call) {
    try {
      call.run();
    } catch (StatusRuntimeException error) {
      tell(step, Told.refusal(Refusal.of(error)));
      return;
    }
    throw new IllegalStateException(step + " was not refused");
  }

  /** Asks as the client that a token was issued to. */
  boolean isActive(Settings.Registered client, String token) {
    var request = IntrospectTokenRequest.newBuilder().setClient(client.proof()).setToken(token).build();
    return tokens("is_active").introspectToken(request).getActive();
  }
}
