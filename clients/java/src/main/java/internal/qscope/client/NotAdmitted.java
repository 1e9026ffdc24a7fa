package internal.qscope.client;

import com.google.protobuf.Any;
import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Map;

/** Why a call does not come in, as its caller learns it: in the words of QScope itself, so that callers read both alike. */
enum NotAdmitted {
  INVALID_TOKEN(
      Status.Code.UNAUTHENTICATED, "OAUTH_INVALID_TOKEN", "invalid_token", "A valid access token is needed."),
  INSUFFICIENT_SCOPE(
      Status.Code.PERMISSION_DENIED,
      "OAUTH_INSUFFICIENT_SCOPE",
      "insufficient_scope",
      "The access token does not permit this."),
  UNAVAILABLE(
      Status.Code.UNAVAILABLE,
      "OAUTH_TEMPORARILY_UNAVAILABLE",
      "temporarily_unavailable",
      "The access token cannot be checked now."),
  CHECK_FAILED(
      Status.Code.INTERNAL, "OAUTH_SERVER_ERROR", "server_error", "The access token could not be checked.");

  private final Status.Code code;
  private final String reason;
  private final String oauthError;
  private final String message;

  NotAdmitted(Status.Code code, String reason, String oauthError, String message) {
    this.code = code;
    this.reason = reason;
    this.oauthError = oauthError;
    this.message = message;
  }

  /** The status with its details, and this beside what is always in its metadata. */
  StatusRuntimeException withMetadata(Map<String, String> more) {
    var info =
        ErrorInfo.newBuilder()
            .setReason(reason)
            .setDomain("qscope")
            .putMetadata("oauth_error", oauthError)
            .putAllMetadata(more)
            .build();
    return StatusProto.toStatusRuntimeException(
        com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage(message).addDetails(Any.pack(info)).build());
  }

  /** The status with its details. */
  StatusRuntimeException status() {
    return withMetadata(Map.of());
  }
}
