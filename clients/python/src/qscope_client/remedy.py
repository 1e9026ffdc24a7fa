"""What a program does about a refusal."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Remedy(StrEnum):
    """What a program does about a refusal."""

    #: The program or its configuration is wrong; the same call fails again.
    CORRECT_REQUEST = "correct_request"
    #: The client's id, secret, key or certificate is not accepted.
    CHECK_CREDENTIALS = "check_credentials"
    #: Whoever registers clients has to allow it.
    ASK_FOR_PERMISSION = "ask_for_permission"
    #: The bearer token of this call is no good; mint another.
    RENEW_TOKEN = "renew_token"  # noqa: S105 - no secret
    #: The token that was looked at is no good; turn its bearer away.
    REJECT_BEARER = "reject_bearer"
    #: What was presented is used up; the user starts again.
    START_OVER = "start_over"
    #: The user refused.
    TELL_USER = "tell_user"
    #: The same call later, after ``retry_after``.
    WAIT_AND_REPEAT = "wait_and_repeat"
    #: The server's state is not what was assumed; look, then decide.
    READ_AGAIN = "read_again"
    #: The call may have been carried out or not. What is idempotent is sent again; a refresh too, once, at once; of
    #: anything else, look what holds.
    FIND_OUT = "find_out"
    #: An accident in the server, which logged it under the ray id.
    REPORT = "report"


#: Every reason of the contract; ``tests/test_remedy.py`` holds them against each other.
REMEDIES: Mapping[str, Remedy] = MappingProxyType(
    {
        "OAUTH_INVALID_REQUEST": Remedy.CORRECT_REQUEST,
        "OAUTH_INVALID_CLIENT": Remedy.CHECK_CREDENTIALS,
        "OAUTH_INVALID_GRANT": Remedy.START_OVER,
        "OAUTH_UNAUTHORIZED_CLIENT": Remedy.ASK_FOR_PERMISSION,
        "OAUTH_UNSUPPORTED_GRANT_TYPE": Remedy.CORRECT_REQUEST,
        "OAUTH_INVALID_SCOPE": Remedy.CORRECT_REQUEST,
        "OAUTH_INVALID_TARGET": Remedy.CORRECT_REQUEST,
        "OAUTH_ACCESS_DENIED": Remedy.TELL_USER,
        "OAUTH_UNSUPPORTED_RESPONSE_TYPE": Remedy.CORRECT_REQUEST,
        "OAUTH_UNSUPPORTED_TOKEN_TYPE": Remedy.CORRECT_REQUEST,
        "OAUTH_INVALID_TOKEN": Remedy.RENEW_TOKEN,
        "OAUTH_INSUFFICIENT_SCOPE": Remedy.ASK_FOR_PERMISSION,
        "OAUTH_SERVER_ERROR": Remedy.REPORT,
        "OAUTH_TEMPORARILY_UNAVAILABLE": Remedy.WAIT_AND_REPEAT,
        "OAUTH_DEVICE_AUTHORIZATION_PENDING": Remedy.WAIT_AND_REPEAT,
        "OAUTH_DEVICE_SLOW_DOWN": Remedy.WAIT_AND_REPEAT,
        "OAUTH_DEVICE_EXPIRED_TOKEN": Remedy.START_OVER,
        "OAUTH_DEVICE_ACCESS_DENIED": Remedy.TELL_USER,
        "REGISTRATION_INVALID_REDIRECT_URI": Remedy.CORRECT_REQUEST,
        "REGISTRATION_INVALID_CLIENT_METADATA": Remedy.CORRECT_REQUEST,
        "REGISTRATION_CLIENT_IDENTIFIER_CONFLICT": Remedy.READ_AGAIN,
        "RESOURCE_NOT_FOUND": Remedy.READ_AGAIN,
        "RESOURCE_CONFLICT": Remedy.READ_AGAIN,
        "RESOURCE_OUTCOME_UNKNOWN": Remedy.FIND_OUT,
        "LIMIT_EXCEEDED": Remedy.WAIT_AND_REPEAT,
    }
)

#: For statuses without a reason, and for reasons that are newer than this program. All others, UNAVAILABLE,
#: DEADLINE_EXCEEDED and CANCELLED among them: the answer was lost, or there was none.
_OF_STATUS: Mapping[str, Remedy] = MappingProxyType(
    {
        "INVALID_ARGUMENT": Remedy.CORRECT_REQUEST,
        "OUT_OF_RANGE": Remedy.CORRECT_REQUEST,
        "UNIMPLEMENTED": Remedy.CORRECT_REQUEST,
        "UNAUTHENTICATED": Remedy.CHECK_CREDENTIALS,
        "PERMISSION_DENIED": Remedy.ASK_FOR_PERMISSION,
        "FAILED_PRECONDITION": Remedy.START_OVER,
        "RESOURCE_EXHAUSTED": Remedy.WAIT_AND_REPEAT,
        "NOT_FOUND": Remedy.READ_AGAIN,
        "ALREADY_EXISTS": Remedy.READ_AGAIN,
        "ABORTED": Remedy.READ_AGAIN,
    }
)


def remedy_of(status: str, reason: str, metadata: Mapping[str, str], *, can_repeat: bool) -> Remedy:
    """Decide by the reason, and by the status where there is none."""
    if reason == "OAUTH_INVALID_TOKEN" and metadata.get("token") == "presented":
        return Remedy.REJECT_BEARER
    # RetryInfo comes only where the same call is safe.
    if reason in {"RESOURCE_CONFLICT", "RESOURCE_OUTCOME_UNKNOWN"} and can_repeat:
        return Remedy.WAIT_AND_REPEAT
    return REMEDIES.get(reason) or _OF_STATUS.get(status, Remedy.FIND_OUT)
