package qscope

import (
	"google.golang.org/grpc/codes"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// Remedy is what a program does about a refusal.
type Remedy string

const (
	// CorrectRequest: the program or its configuration is wrong; the same call fails again.
	CorrectRequest Remedy = "correct_request"
	// CheckCredentials: the client's id, secret, key or certificate is not accepted.
	CheckCredentials Remedy = "check_credentials"
	// AskForPermission: whoever registers clients has to allow it.
	AskForPermission Remedy = "ask_for_permission"
	// RenewToken: the bearer token of this call is no good; mint another.
	RenewToken Remedy = "renew_token"
	// RejectBearer: the token that was looked at is no good; turn its bearer away.
	RejectBearer Remedy = "reject_bearer"
	// StartOver: what was presented is used up; the user starts again.
	StartOver Remedy = "start_over"
	// TellUser: the user refused.
	TellUser Remedy = "tell_user"
	// WaitAndRepeat: the same call later, after RetryAfter.
	WaitAndRepeat Remedy = "wait_and_repeat"
	// ReadAgain: the server's state is not what was assumed; look, then decide.
	ReadAgain Remedy = "read_again"
	// FindOut: the call may have been carried out or not. What is idempotent is sent
	// again; a refresh too, once, at once; of anything else, look what holds.
	FindOut Remedy = "find_out"
	// Report: an accident in the server, which logged it under the ray id.
	Report Remedy = "report"
)

// Remedy decides by the reason, and by the status where there is none.
func (r *Refusal) Remedy() Remedy {
	switch r.Reason {
	case qscopev1.ErrorReason_ERROR_REASON_OAUTH_INVALID_REQUEST,
		qscopev1.ErrorReason_ERROR_REASON_OAUTH_INVALID_SCOPE,
		qscopev1.ErrorReason_ERROR_REASON_OAUTH_INVALID_TARGET,
		qscopev1.ErrorReason_ERROR_REASON_OAUTH_UNSUPPORTED_GRANT_TYPE,
		qscopev1.ErrorReason_ERROR_REASON_OAUTH_UNSUPPORTED_RESPONSE_TYPE,
		qscopev1.ErrorReason_ERROR_REASON_OAUTH_UNSUPPORTED_TOKEN_TYPE,
		qscopev1.ErrorReason_ERROR_REASON_REGISTRATION_INVALID_REDIRECT_URI,
		qscopev1.ErrorReason_ERROR_REASON_REGISTRATION_INVALID_CLIENT_METADATA:
		return CorrectRequest
	case qscopev1.ErrorReason_ERROR_REASON_OAUTH_INVALID_CLIENT:
		return CheckCredentials
	case qscopev1.ErrorReason_ERROR_REASON_OAUTH_UNAUTHORIZED_CLIENT,
		qscopev1.ErrorReason_ERROR_REASON_OAUTH_INSUFFICIENT_SCOPE:
		return AskForPermission
	case qscopev1.ErrorReason_ERROR_REASON_OAUTH_INVALID_TOKEN:
		if r.Metadata["token"] == "presented" {
			return RejectBearer
		}
		return RenewToken
	case qscopev1.ErrorReason_ERROR_REASON_OAUTH_INVALID_GRANT,
		qscopev1.ErrorReason_ERROR_REASON_OAUTH_DEVICE_EXPIRED_TOKEN:
		return StartOver
	case qscopev1.ErrorReason_ERROR_REASON_OAUTH_ACCESS_DENIED,
		qscopev1.ErrorReason_ERROR_REASON_OAUTH_DEVICE_ACCESS_DENIED:
		return TellUser
	case qscopev1.ErrorReason_ERROR_REASON_OAUTH_DEVICE_AUTHORIZATION_PENDING,
		qscopev1.ErrorReason_ERROR_REASON_OAUTH_DEVICE_SLOW_DOWN,
		qscopev1.ErrorReason_ERROR_REASON_OAUTH_TEMPORARILY_UNAVAILABLE,
		qscopev1.ErrorReason_ERROR_REASON_LIMIT_EXCEEDED:
		return WaitAndRepeat
	case qscopev1.ErrorReason_ERROR_REASON_RESOURCE_NOT_FOUND,
		qscopev1.ErrorReason_ERROR_REASON_REGISTRATION_CLIENT_IDENTIFIER_CONFLICT:
		return ReadAgain
	case qscopev1.ErrorReason_ERROR_REASON_RESOURCE_CONFLICT:
		return r.repeatOr(ReadAgain)
	case qscopev1.ErrorReason_ERROR_REASON_RESOURCE_OUTCOME_UNKNOWN:
		return r.repeatOr(FindOut)
	case qscopev1.ErrorReason_ERROR_REASON_OAUTH_SERVER_ERROR:
		return Report
	case qscopev1.ErrorReason_ERROR_REASON_UNSPECIFIED:
		return remedyOfStatus(r.Code)
	}
	// A reason that was added to the contract; remedy_test.go finds it.
	return remedyOfStatus(r.Code)
}

// repeatOr: RetryInfo comes only where the same call is safe.
func (r *Refusal) repeatOr(otherwise Remedy) Remedy {
	if r.RetryAfter != nil {
		return WaitAndRepeat
	}
	return otherwise
}

func remedyOfStatus(code codes.Code) Remedy {
	switch code {
	case codes.InvalidArgument, codes.OutOfRange, codes.Unimplemented:
		return CorrectRequest
	case codes.Unauthenticated:
		return CheckCredentials
	case codes.PermissionDenied:
		return AskForPermission
	case codes.FailedPrecondition:
		return StartOver
	case codes.ResourceExhausted:
		return WaitAndRepeat
	case codes.NotFound, codes.AlreadyExists, codes.Aborted:
		return ReadAgain
	default:
		// UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED: the answer was lost, or there was none.
		return FindOut
	}
}
