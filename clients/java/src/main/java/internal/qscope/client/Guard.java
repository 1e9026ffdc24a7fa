package internal.qscope.client;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Pattern;
import javax.net.ssl.SSLPeerUnverifiedException;

/**
 * Lets only those calls reach a server's handlers whose token is good and permits the method. Others end with
 * UNAUTHENTICATED or PERMISSION_DENIED, with the details that QScope itself sends (RFC 6750 §3.1). The token is looked at
 * when a call begins.
 *
 * <p>Where QScope has to be asked, a thread of the server's executor waits for it: the server must not have {@code
 * directExecutor}.
 */
public final class Guard implements ServerInterceptor {
  private static final Logger LOGGER = Logger.getLogger(Guard.class.getName());
  private static final Context.Key<VerifiedToken> ADMITTED = Context.key("qscope-admitted-token");
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  /** RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1). */
  private static final Pattern BEARER = Pattern.compile("(?i:bearer) +([A-Za-z0-9._~+/-]+=*)");

  /** Statuses of the transport after which the same token may be checked later. */
  private static final Set<Status.Code> PASSING =
      Set.of(Status.Code.UNAVAILABLE, Status.Code.DEADLINE_EXCEEDED, Status.Code.ABORTED);

  private static final Set<String> TEMPORARY = Set.of("OAUTH_TEMPORARILY_UNAVAILABLE", "LIMIT_EXCEEDED");

  private final TokenVerifier verifier;
  private final Optional<String> audience;
  private final Map<String, MethodRule> methods;
  private final Optional<MethodRule> otherwise;
  private final Consumer<Exception> onCheckFailure;

  private Guard(Builder wanted) {
    verifier = wanted.verifier;
    audience = wanted.audience;
    methods = Map.copyOf(wanted.methods);
    otherwise = wanted.otherwise;
    onCheckFailure = wanted.onCheckFailure;
  }

  /** How a server decides who comes in. */
  public static final class Builder {
    private final TokenVerifier verifier;
    private final Map<String, MethodRule> methods = new HashMap<>();
    private Optional<String> audience = Optional.empty();
    private Optional<MethodRule> otherwise = Optional.empty();
    private Consumer<Exception> onCheckFailure =
        error -> LOGGER.log(Level.SEVERE, "an access token could not be checked", error);

    private Builder(TokenVerifier verifier) {
      this.verifier = verifier;
    }

    /** Takes tokens for this audience alone; unless given, and a rule has none, tokens for anybody are taken. */
    public Builder audience(String audience) {
      this.audience = Optional.of(audience);
      return this;
    }

    /** The rule of a method by its full name, such as {@code orders.v1.OrderService/GetOrder}. */
    public Builder method(String fullMethodName, MethodRule rule) {
      methods.put(fullMethodName, rule);
      return this;
    }

    /** The rule of all other methods; unless given, nobody may call them. */
    public Builder otherwise(MethodRule rule) {
      otherwise = Optional.of(rule);
      return this;
    }

    /**
     * Hears why a token could not be checked: QScope is away, or this server's own credentials are wrong. The caller
     * learns no more than that. It is logged unless given.
     */
    public Builder onCheckFailure(Consumer<Exception> onCheckFailure) {
      this.onCheckFailure = onCheckFailure;
      return this;
    }

    /** Makes the guard. */
    public Guard build() {
      return new Guard(this);
    }
  }

  /** Makes a guard with a verifier, which its owner closes after the server stopped. */
  public static Builder of(TokenVerifier verifier) {
    return new Builder(verifier);
  }

  /** What the token says that let the call of this handler in; empty: the guard asked for none. */
  public static Optional<VerifiedToken> admittedToken() {
    return Optional.ofNullable(ADMITTED.get());
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    var own = methods.get(call.getMethodDescriptor().getFullMethodName());
    var rule = own == null ? otherwise : Optional.of(own);
    if (rule.isPresent() && rule.get().isOpen()) {
      return next.startCall(call, headers);
    }
    VerifiedToken token;
    try {
      token = admit(call, headers, rule);
    } catch (StatusRuntimeException refused) {
      call.close(refused.getStatus(), refused.getTrailers());
      return new ServerCall.Listener<>() {};
    }
    return Contexts.interceptCall(Context.current().withValue(ADMITTED, token), call, headers, next);
  }

  /** @throws StatusRuntimeException as the caller learns it */
  private VerifiedToken admit(ServerCall<?, ?> call, Metadata headers, Optional<MethodRule> rule) {
    var token = verify(presentedIn(call, headers), rule.flatMap(MethodRule::audience).or(() -> audience));
    if (rule.isEmpty()) {
      throw NotAdmitted.INSUFFICIENT_SCOPE.status();
    }
    var scopes = rule.get().scopes();
    if (!token.scopes().containsAll(scopes)) {
      throw NotAdmitted.INSUFFICIENT_SCOPE.withMetadata(Map.of("required_scopes", String.join(" ", scopes)));
    }
    return token;
  }

  private VerifiedToken verify(PresentedToken presented, Optional<String> wanted) {
    try {
      return verifier.verify(presented, wanted);
    } catch (InvalidTokenException refused) {
      throw NotAdmitted.INVALID_TOKEN.status();
    } catch (InsufficientScopeException | RuntimeException error) {
      if (Context.current().isCancelled()) {
        // Its caller is gone.
        throw Status.CANCELLED.asRuntimeException();
      }
      onCheckFailure.accept(error);
      throw (isTemporary(error) ? NotAdmitted.UNAVAILABLE : NotAdmitted.CHECK_FAILED).status();
    }
  }

  private static PresentedToken presentedIn(ServerCall<?, ?> call, Metadata headers) {
    List<String> values = new ArrayList<>();
    var all = headers.getAll(AUTHORIZATION);
    if (all != null) {
      all.forEach(values::add);
    }
    var found = BEARER.matcher(values.size() == 1 ? values.get(0) : "");
    if (!found.matches()) {
      throw NotAdmitted.INVALID_TOKEN.status();
    }
    var presented = PresentedToken.of(found.group(1));
    var certificate = certificateOf(call);
    try {
      return certificate.isEmpty() ? presented : presented.with(certificate.get());
    } catch (CertificateEncodingException unreadable) {
      throw NotAdmitted.INVALID_TOKEN.status();
    }
  }

  /** What the caller showed, if the server asked for it. */
  private static Optional<X509Certificate> certificateOf(ServerCall<?, ?> call) {
    var session = call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    if (session == null) {
      return Optional.empty();
    }
    try {
      return session.getPeerCertificates()[0] instanceof X509Certificate shown ? Optional.of(shown) : Optional.empty();
    } catch (SSLPeerUnverifiedException none) {
      return Optional.empty();
    }
  }

  /** Whether the same token may be checked later. */
  private static boolean isTemporary(Exception error) {
    if (error instanceof VerifierClosedException) {
      return true;
    }
    if (!(error instanceof StatusRuntimeException)) {
      return false;
    }
    var refusal = Refusal.of(error);
    return refusal.reasonName().isEmpty()
        ? PASSING.contains(refusal.status())
        : TEMPORARY.contains(refusal.reasonName());
  }
}
