package main

import (
	"context"
	"errors"

	qscope "qscope.internal/client"
	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// offline verifies a JWT access token with the server's key set (RFC 9068 §4).
func (t *tour) offline(ctx context.Context) error {
	token, err := t.mintFor(ctx, &qscopev1.MintTokenRequest{
		Client: t.Reports.secret(), Audiences: []string{t.WarehouseAudience},
	})
	if err != nil {
		return err
	}
	ctx, cancel := t.call(ctx, "offline")
	defer cancel()
	claims, err := qscope.NewJWTVerifier(t.tokens, t.Issuer, t.WarehouseAudience).Verify(ctx, token)
	if err != nil {
		return err
	}
	what := told{
		"access_token": token,
		"issuer":       claims.Issuer,
		"subject":      claims.Subject,
		"client_id":    claims.ClientID,
		"scope":        claims.Scope,
		"token_id":     claims.ID,
		"audiences":    []string(claims.Audience),
	}
	if err := t.tell("offline", what); err != nil {
		return err
	}
	verifiers := map[string]*qscope.JWTVerifier{
		"tampered":         qscope.NewJWTVerifier(t.tokens, t.Issuer, t.WarehouseAudience),
		"foreign_issuer":   qscope.NewJWTVerifier(t.tokens, "https://elsewhere.example", t.WarehouseAudience),
		"foreign_audience": qscope.NewJWTVerifier(t.tokens, t.Issuer, t.BillingAudience),
	}
	refused := []string{}
	for _, name := range []string{"tampered", "foreign_issuer", "foreign_audience"} {
		presented := token
		if name == "tampered" {
			presented = tampered(token)
		}
		_, err := verifiers[name].Verify(ctx, presented)
		if err == nil {
			return errors.New("accepted a token that is " + name)
		}
		if qscope.RefusalOf(err).ReasonName == "" {
			refused = append(refused, name)
		}
	}
	return t.tell("offline_refused", told{"refused": refused})
}
