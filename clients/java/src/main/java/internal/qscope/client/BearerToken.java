package internal.qscope.client;

import io.grpc.CallCredentials;
import io.grpc.Metadata;
import io.grpc.SecurityLevel;
import io.grpc.Status;
import java.util.concurrent.Executor;

/** The tokens of a source as the credentials of calls: {@code stub.withCallCredentials(new BearerToken(source))}. */
public final class BearerToken extends CallCredentials {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final TokenSource source;

  public BearerToken(TokenSource source) {
    this.source = source;
  }

  @Override
  public void applyRequestMetadata(RequestInfo call, Executor executor, MetadataApplier applier) {
    if (call.getSecurityLevel() != SecurityLevel.PRIVACY_AND_INTEGRITY) {
      applier.fail(Status.UNAUTHENTICATED.withDescription("a bearer token does not travel without TLS"));
      return;
    }
    source
        .future()
        .whenCompleteAsync(
            (token, failure) -> {
              if (failure != null) {
                applier.fail(Status.fromThrowable(failure));
                return;
              }
              var headers = new Metadata();
              headers.put(AUTHORIZATION, token.getTokenType() + " " + token.getAccessToken());
              applier.apply(headers);
            },
            executor);
  }
}
