package qscope

import (
	"fmt"
	"os"
	"strings"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// WithSecret proves a confidential client by its secret.
func WithSecret(clientID, secret string) *qscopev1.ClientAuthentication {
	return &qscopev1.ClientAuthentication{
		ClientId: clientID,
		Method:   &qscopev1.ClientAuthentication_ClientSecret{ClientSecret: secret},
	}
}

// WithoutSecret names a public client, or one that is proved by the certificate
// of its connection.
func WithoutSecret(clientID string) *qscopev1.ClientAuthentication {
	return &qscopev1.ClientAuthentication{ClientId: clientID}
}

// WithAssertionFile proves a FEDERATED_JWT client by the token that its platform
// puts into a file (RFC 7523 §2.2), such as a projected Kubernetes service
// account token for the audience of QScope's issuer. The platform replaces it
// before it ends: read it for each call, as NewFederatedTokenSource does.
func WithAssertionFile(clientID, path string) (*qscopev1.ClientAuthentication, error) {
	assertion, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the assertion of %s: %w", clientID, err)
	}
	return &qscopev1.ClientAuthentication{
		ClientId: clientID,
		Method: &qscopev1.ClientAuthentication_ClientAssertion{
			ClientAssertion: strings.TrimSpace(string(assertion)),
		},
	}, nil
}
