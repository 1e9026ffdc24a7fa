package qscope

import (
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

const (
	domain       = "qscope"
	reasonPrefix = "ERROR_REASON_"
)

// Refusal is a call that did not succeed, its details decoded.
type Refusal struct {
	Code    codes.Code
	Message string
	// Reason decides what to do. UNSPECIFIED for a status that the transport made
	// (a deadline, a lost connection), and for a reason newer than this program.
	Reason qscopev1.ErrorReason
	// ReasonName is the reason as it was sent, such as OAUTH_INVALID_GRANT.
	ReasonName string
	// Metadata goes with the reason: oauth_error, rejected_scopes, …
	Metadata map[string]string
	// RayID names the call in the server's log and audit log.
	RayID string
	// RetryAfter is how long to wait before the same call; nil: not to send it again.
	RetryAfter *time.Duration
	// Violations are the fields of the request that are wrong.
	Violations []*errdetails.BadRequest_FieldViolation
	// Resource is what was looked for, or is taken.
	Resource *errdetails.ResourceInfo
	// Quota is the limit that was reached.
	Quota []*errdetails.QuotaFailure_Violation
	// HelpURL is the documentation of the reason.
	HelpURL string
}

// RefusalOf decodes what a call returned; nil for no error.
func RefusalOf(err error) *Refusal {
	if err == nil {
		return nil
	}
	// FromContextError: a wait that ended before there was a call.
	told, ok := status.FromError(err)
	if !ok {
		told = status.FromContextError(err)
	}
	return decode(told)
}

// RefusalOfStatus decodes a status inside an answer, such as that of a batch.
func RefusalOfStatus(told *statuspb.Status) *Refusal { return decode(status.FromProto(told)) }

func decode(told *status.Status) *Refusal {
	refusal := &Refusal{Code: told.Code(), Message: told.Message()}
	for _, detail := range told.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() != domain {
				continue
			}
			refusal.ReasonName = detail.GetReason()
			refusal.Metadata = detail.GetMetadata()
			refusal.Reason = qscopev1.ErrorReason(qscopev1.ErrorReason_value[reasonPrefix+detail.GetReason()])
		case *errdetails.RequestInfo:
			refusal.RayID = detail.GetRequestId()
		case *errdetails.RetryInfo:
			delay := detail.GetRetryDelay().AsDuration()
			refusal.RetryAfter = &delay
		case *errdetails.BadRequest:
			refusal.Violations = detail.GetFieldViolations()
		case *errdetails.ResourceInfo:
			refusal.Resource = detail
		case *errdetails.QuotaFailure:
			refusal.Quota = detail.GetViolations()
		case *errdetails.Help:
			if links := detail.GetLinks(); len(links) > 0 {
				refusal.HelpURL = links[0].GetUrl()
			}
		}
	}
	return refusal
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s %s: %s (ray id %s)", r.Code, r.ReasonName, r.Message, r.RayID)
}
