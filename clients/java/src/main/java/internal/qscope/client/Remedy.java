package internal.qscope.client;

import io.grpc.Status;

/** What a program does about a refusal. */
public enum Remedy {
  /** The program or its configuration is wrong; the same call fails again. */
  CORRECT_REQUEST,
  /** The client's id, secret, key or certificate is not accepted. */
  CHECK_CREDENTIALS,
  /** Whoever registers clients has to allow it. */
  ASK_FOR_PERMISSION,
  /** The bearer token of this call is no good; mint another. */
  RENEW_TOKEN,
  /** The token that was looked at is no good; turn its bearer away. */
  REJECT_BEARER,
  /** What was presented is used up; the user starts again. */
  START_OVER,
  /** The user refused. */
  TELL_USER,
  /** The same call later, after {@link Refusal#retryAfter}. */
  WAIT_AND_REPEAT,
  /** The server's state is not what was assumed; look, then decide. */
  READ_AGAIN,
  /**
   * The call may have been carried out or not. What is idempotent is sent again; a refresh too, once, at once; of
   * anything else, look what holds.
   */
  FIND_OUT,
  /** An accident in the server, which logged it under the ray id. */
  REPORT;

  /** Decides by the reason, and by the status where there is none. A reason that is missing here does not compile. */
  static Remedy of(Refusal refusal) {
    return switch (refusal.reason()) {
      case ERROR_REASON_OAUTH_INVALID_REQUEST,
          ERROR_REASON_OAUTH_INVALID_SCOPE,
          ERROR_REASON_OAUTH_INVALID_TARGET,
          ERROR_REASON_OAUTH_UNSUPPORTED_GRANT_TYPE,
          ERROR_REASON_OAUTH_UNSUPPORTED_RESPONSE_TYPE,
          ERROR_REASON_OAUTH_UNSUPPORTED_TOKEN_TYPE,
          ERROR_REASON_REGISTRATION_INVALID_REDIRECT_URI,
          ERROR_REASON_REGISTRATION_INVALID_CLIENT_METADATA -> CORRECT_REQUEST;
      case ERROR_REASON_OAUTH_INVALID_CLIENT -> CHECK_CREDENTIALS;
      case ERROR_REASON_OAUTH_UNAUTHORIZED_CLIENT, ERROR_REASON_OAUTH_INSUFFICIENT_SCOPE -> ASK_FOR_PERMISSION;
      case ERROR_REASON_OAUTH_INVALID_TOKEN ->
          "presented".equals(refusal.metadata().get("token")) ? REJECT_BEARER : RENEW_TOKEN;
      case ERROR_REASON_OAUTH_INVALID_GRANT, ERROR_REASON_OAUTH_DEVICE_EXPIRED_TOKEN -> START_OVER;
      case ERROR_REASON_OAUTH_ACCESS_DENIED, ERROR_REASON_OAUTH_DEVICE_ACCESS_DENIED -> TELL_USER;
      case ERROR_REASON_OAUTH_DEVICE_AUTHORIZATION_PENDING,
          ERROR_REASON_OAUTH_DEVICE_SLOW_DOWN,
          ERROR_REASON_OAUTH_TEMPORARILY_UNAVAILABLE,
          ERROR_REASON_LIMIT_EXCEEDED -> WAIT_AND_REPEAT;
      case ERROR_REASON_RESOURCE_NOT_FOUND, ERROR_REASON_REGISTRATION_CLIENT_IDENTIFIER_CONFLICT -> READ_AGAIN;
      // RetryInfo comes only where the same call is safe.
      case ERROR_REASON_RESOURCE_CONFLICT -> refusal.retryAfter().isPresent() ? WAIT_AND_REPEAT : READ_AGAIN;
      case ERROR_REASON_RESOURCE_OUTCOME_UNKNOWN -> refusal.retryAfter().isPresent() ? WAIT_AND_REPEAT : FIND_OUT;
      case ERROR_REASON_OAUTH_SERVER_ERROR -> REPORT;
      case ERROR_REASON_UNSPECIFIED, UNRECOGNIZED -> of(refusal.status());
    };
  }

  private static Remedy of(Status.Code status) {
    return switch (status) {
      case INVALID_ARGUMENT, OUT_OF_RANGE, UNIMPLEMENTED -> CORRECT_REQUEST;
      case UNAUTHENTICATED -> CHECK_CREDENTIALS;
      case PERMISSION_DENIED -> ASK_FOR_PERMISSION;
      case FAILED_PRECONDITION -> START_OVER;
      case RESOURCE_EXHAUSTED -> WAIT_AND_REPEAT;
      case NOT_FOUND, ALREADY_EXISTS, ABORTED -> READ_AGAIN;
      // The answer was lost, or there was none.
      case OK, CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS -> FIND_OUT;
    };
  }
}
