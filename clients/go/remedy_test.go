package qscope

import (
	"testing"

	"google.golang.org/grpc/codes"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

func TestEveryReasonOfTheContractHasARemedyOfItsOwn(t *testing.T) {
	for number, name := range qscopev1.ErrorReason_name {
		if number == 0 {
			continue
		}
		// No reason is sent with these two; what depends on the status differs between them.
		remedies := map[Remedy]bool{}
		for _, code := range []codes.Code{codes.DataLoss, codes.OutOfRange} {
			refusal := &Refusal{Code: code, Reason: qscopev1.ErrorReason(number)}
			remedies[refusal.Remedy()] = true
		}
		if len(remedies) != 1 {
			t.Errorf("%s is decided by its status: add it to Remedy", name)
		}
	}
}

func TestAReasonThatIsNewerThanTheProgramIsDecidedByItsStatus(t *testing.T) {
	refusal := &Refusal{Code: codes.PermissionDenied, ReasonName: "OAUTH_INVENTED_LATER"}
	if got := refusal.Remedy(); got != AskForPermission {
		t.Errorf("got %s", got)
	}
}
