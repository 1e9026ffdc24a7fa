package main

import (
	"context"

	qscope "qscope.internal/client"
	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// codes signs a user in (RFC 6749 §4.1, RFC 7636).
func (t *tour) codes(ctx context.Context) error {
	pkce := qscope.NewPKCE()
	code, err := t.consent(ctx, pkce)
	if err != nil {
		return err
	}
	exchange := func(step, verifier string) (*qscopev1.IssuedToken, error) {
		ctx, cancel := t.call(ctx, step)
		defer cancel()
		answer, err := t.tokens.ExchangeAuthorizationCode(ctx, &qscopev1.ExchangeAuthorizationCodeRequest{
			Client: t.Shop.secret(), Code: code, RedirectUri: t.Shop.RedirectURI, CodeVerifier: &verifier,
		})
		return answer.GetToken(), err
	}
	_, err = exchange("code_verifier", qscope.NewPKCE().Verifier)
	if err := t.tellRefusal("code_verifier", err); err != nil {
		return err
	}
	token, err := exchange("code", pkce.Verifier)
	if err != nil {
		return err
	}
	if err := t.tell("code", tokenTold(token)); err != nil {
		return err
	}
	_, err = exchange("code_reuse", pkce.Verifier)
	if err := t.tellRefusal("code_reuse", err); err != nil {
		return err
	}
	active, err := t.isActive(ctx, t.Shop.secret(), token.GetAccessToken())
	if err != nil {
		return err
	}
	return t.tell("code_reused", told{"active": active})
}

// consent is the front end's part: it has logged a user in, who consented.
func (t *tour) consent(ctx context.Context, pkce qscope.PKCE) (string, error) {
	ctx, cancel := t.call(ctx, "consent")
	defer cancel()
	answer, err := t.tokens.CreateAuthorizationCode(ctx, &qscopev1.CreateAuthorizationCodeRequest{
		ClientId:            t.Shop.ClientID,
		User:                user("ada"),
		RedirectUri:         t.Shop.RedirectURI,
		Scopes:              []string{"orders.read", "orders.write"},
		Audiences:           []string{t.WarehouseAudience},
		CodeChallenge:       &pkce.Challenge,
		CodeChallengeMethod: qscopev1.CodeChallengeMethod_CODE_CHALLENGE_METHOD_S256,
	}, t.frontEnd)
	return answer.GetCode(), err
}

// signIn is both parts, for a later step.
func (t *tour) signIn(ctx context.Context) (*qscopev1.IssuedToken, error) {
	pkce := qscope.NewPKCE()
	code, err := t.consent(ctx, pkce)
	if err != nil {
		return nil, err
	}
	ctx, cancel := t.call(ctx, "sign_in")
	defer cancel()
	answer, err := t.tokens.ExchangeAuthorizationCode(ctx, &qscopev1.ExchangeAuthorizationCodeRequest{
		Client: t.Shop.secret(), Code: code, RedirectUri: t.Shop.RedirectURI, CodeVerifier: &pkce.Verifier,
	})
	return answer.GetToken(), err
}

func user(externalID string) *qscopev1.UserReference {
	return &qscopev1.UserReference{Id: &qscopev1.UserReference_ExternalId{ExternalId: externalID}}
}
