package internal.qscope.client;

import internal.qscope.v1.ClientAuthentication;
import internal.qscope.v1.PollRevocationsRequest;
import internal.qscope.v1.PollRevocationsResponse;
import internal.qscope.v1.TokenClaims;
import internal.qscope.v1.TokenServiceGrpc.TokenServiceBlockingStub;
import internal.qscope.v1.TokenUse;
import internal.qscope.v1.VerifyTokenRequest;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** The calls of one resource server, which are all made with one credential. */
public final class ResourceServer {
  private static final long DEADLINE_SECONDS = 5;

  final TokenServiceBlockingStub tokens;
  private final Supplier<ClientAuthentication> client;

  private ResourceServer(TokenServiceBlockingStub tokens, Supplier<ClientAuthentication> client) {
    this.tokens = tokens;
    this.client = client;
  }

  /** Calls as a client that is proved by the same in each request, such as a secret. */
  public static ResourceServer of(TokenServiceBlockingStub tokens, ClientAuthentication client) {
    return new ResourceServer(tokens, () -> client);
  }

  /** Calls as a client each of whose proofs is good once, such as a client assertion. */
  public static ResourceServer of(TokenServiceBlockingStub tokens, Supplier<ClientAuthentication> client) {
    return new ResourceServer(tokens, client);
  }

  /** Calls with the credentials of the stub: {@link BearerToken}s with {@code qscope:tokens.read}. */
  public static ResourceServer ofBearer(TokenServiceBlockingStub tokens) {
    return new ResourceServer(tokens, () -> null);
  }

  /**
   * What a valid access token says. Audience and scopes are not judged, so that the answer serves every use of the
   * token.
   *
   * @param certificateThumbprint {@code null}: the bearer showed no certificate
   * @throws StatusRuntimeException if the server cannot be asked
   */
  TokenClaims verify(String token, String certificateThumbprint) throws InvalidTokenException {
    var request = VerifyTokenRequest.newBuilder().setToken(token);
    if (certificateThumbprint != null) {
      request.setPresentedCertificateSha256(certificateThumbprint);
    }
    var proof = client.get();
    if (proof != null) {
      request.setClient(proof);
    }
    TokenClaims claims;
    try {
      claims = tokens.withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS).verifyToken(request.build()).getClaims();
    } catch (StatusRuntimeException error) {
      if (Refusal.of(error).remedy() == Remedy.REJECT_BEARER) {
        throw new InvalidTokenException("it is unknown, has expired, was revoked or is not its bearer's", error);
      }
      throw error;
    }
    if (claims.getTokenUse() != TokenUse.TOKEN_USE_ACCESS) {
      throw new InvalidTokenException("it is no access token");
    }
    return claims;
  }

  /**
   * Polls once.
   *
   * @throws StatusRuntimeException if the server cannot be asked, or the call's context was cancelled
   */
  PollRevocationsResponse poll(PollRevocationsRequest.Builder request, Duration deadline) {
    var proof = client.get();
    if (proof != null) {
      request.setClient(proof);
    }
    return tokens.withDeadlineAfter(deadline.toMillis(), TimeUnit.MILLISECONDS).pollRevocations(request.build());
  }
}
