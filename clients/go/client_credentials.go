package qscope

import qscopev1 "qscope.internal/client/gen/qscope/v1"

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
