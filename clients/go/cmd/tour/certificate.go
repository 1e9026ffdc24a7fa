package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"

	"google.golang.org/grpc/credentials"

	qscope "qscope.internal/client"
	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// certificate proves a client by the certificate of its connection (RFC 8705):
// the token is bound to it.
func (t *tour) certificate(ctx context.Context) error {
	tlsConfig, err := t.tlsConfig(t.Courier)
	if err != nil {
		return err
	}
	connection, err := qscope.Connect(t.Address, credentials.NewTLS(tlsConfig))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := t.call(ctx, "certificate")
	defer cancel()
	minted, err := qscopev1.NewTokenServiceClient(connection).MintToken(ctx, &qscopev1.MintTokenRequest{
		Client: qscope.WithoutSecret(t.Courier.ClientID), Audiences: []string{t.WarehouseAudience},
	})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(tlsConfig.Certificates[0].Certificate[0])
	shown := base64.RawURLEncoding.EncodeToString(sum[:])
	request := &qscopev1.VerifyTokenRequest{
		Client: t.Warehouse.secret(), Token: minted.GetToken().GetAccessToken(), PresentedCertificateSha256: &shown,
	}
	verified, err := t.tokens.VerifyToken(ctx, request)
	if err != nil {
		return err
	}
	if err := t.tell("certificate", claimsTold(verified.GetClaims())); err != nil {
		return err
	}
	request.PresentedCertificateSha256 = nil
	_, err = t.tokens.VerifyToken(ctx, request)
	return t.tellRefusal("certificate_missing", err)
}
