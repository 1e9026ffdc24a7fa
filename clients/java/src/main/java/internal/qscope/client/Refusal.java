package internal.qscope.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Help;
import com.google.rpc.QuotaFailure;
import com.google.rpc.RequestInfo;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import internal.qscope.v1.ErrorReason;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A call that did not succeed, its details decoded.
 *
 * @param status the gRPC status
 * @param message for people; it may change
 * @param reason decides what to do; UNSPECIFIED for a status that the transport made (a deadline, a lost connection),
 *     UNRECOGNIZED for a reason that is newer than this program
 * @param reasonName the reason as it was sent, such as OAUTH_INVALID_GRANT; empty where there is none
 * @param metadata goes with the reason: oauth_error, rejected_scopes, …
 * @param rayId names the call in the server's log and audit log
 * @param retryAfter how long to wait before the same call; empty: not to send it again
 * @param violations the fields of the request that are wrong
 * @param resource what was looked for, or is taken
 * @param quota the limit that was reached
 * @param helpUrl the documentation of the reason
 */
public record Refusal(
    Status.Code status,
    String message,
    ErrorReason reason,
    String reasonName,
    Map<String, String> metadata,
    String rayId,
    Optional<Duration> retryAfter,
    List<BadRequest.FieldViolation> violations,
    Optional<ResourceInfo> resource,
    List<QuotaFailure.Violation> quota,
    String helpUrl) {
  private static final String DOMAIN = "qscope";
  private static final String REASON_PREFIX = "ERROR_REASON_";

  /** Decodes what a call threw. */
  public static Refusal of(Throwable thrown) {
    var detailed = StatusProto.fromThrowable(thrown);
    if (detailed != null) {
      return of(detailed);
    }
    var bare = Status.fromThrowable(thrown);
    return of(com.google.rpc.Status.newBuilder().setCode(bare.getCode().value()).build());
  }

  /** Decodes a status inside an answer, such as that of a batch. */
  public static Refusal of(com.google.rpc.Status status) {
    var info = detail(status, ErrorInfo.class).filter(each -> each.getDomain().equals(DOMAIN));
    var reasonName = info.map(ErrorInfo::getReason).orElse("");
    return new Refusal(
        Status.fromCodeValue(status.getCode()).getCode(),
        status.getMessage(),
        reasonOf(reasonName),
        reasonName,
        info.map(ErrorInfo::getMetadataMap).orElse(Map.of()),
        detail(status, RequestInfo.class).map(RequestInfo::getRequestId).orElse(""),
        detail(status, RetryInfo.class).map(RetryInfo::getRetryDelay).map(Refusal::durationOf),
        detail(status, BadRequest.class).map(BadRequest::getFieldViolationsList).orElse(List.of()),
        detail(status, ResourceInfo.class),
        detail(status, QuotaFailure.class).map(QuotaFailure::getViolationsList).orElse(List.of()),
        detail(status, Help.class)
            .flatMap(help -> help.getLinksList().stream().findFirst())
            .map(Help.Link::getUrl)
            .orElse(""));
  }

  /** What a program does about it. */
  public Remedy remedy() {
    return Remedy.of(this);
  }

  private static ErrorReason reasonOf(String name) {
    if (name.isEmpty()) {
      return ErrorReason.ERROR_REASON_UNSPECIFIED;
    }
    var known = ErrorReason.getDescriptor().findValueByName(REASON_PREFIX + name);
    return known == null ? ErrorReason.UNRECOGNIZED : ErrorReason.valueOf(known);
  }

  private static Duration durationOf(com.google.protobuf.Duration delay) {
    return Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
  }

  private static <M extends Message> Optional<M> detail(com.google.rpc.Status status, Class<M> kind) {
    return status.getDetailsList().stream().filter(each -> each.is(kind)).findFirst().map(each -> unpack(each, kind));
  }

  private static <M extends Message> M unpack(Any detail, Class<M> kind) {
    try {
      return detail.unpack(kind);
    } catch (InvalidProtocolBufferException error) {
      throw new IllegalArgumentException(kind.getSimpleName() + " cannot be read", error);
    }
  }
}
