package main

import (
	"context"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

const accessTokenType = "urn:ietf:params:oauth:token-type:access_token"

// exchange trades tokens and assertions for tokens of one's own.
func (t *tour) exchange(ctx context.Context) error {
	if err := t.exchangeToken(ctx); err != nil {
		return err
	}
	return t.exchangeAssertion(ctx)
}

// exchangeToken calls the next service on the user's behalf (RFC 8693).
func (t *tour) exchangeToken(ctx context.Context) error {
	signedIn, err := t.signIn(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := t.call(ctx, "exchange")
	defer cancel()
	request := &qscopev1.ExchangeTokenRequest{
		Client:           t.Warehouse.secret(),
		SubjectToken:     signedIn.GetAccessToken(),
		SubjectTokenType: accessTokenType,
		Scopes:           []string{"orders.read"},
		Audiences:        []string{t.BillingAudience},
	}
	answer, err := t.tokens.ExchangeToken(ctx, request)
	if err != nil {
		return err
	}
	issued := answer.GetToken()
	shown, err := t.tokens.IntrospectToken(ctx, &qscopev1.IntrospectTokenRequest{
		Client: t.Warehouse.secret(), Token: issued.GetAccessToken(),
	})
	if err != nil {
		return err
	}
	what := claimsTold(shown.GetClaims())
	what["issued_token_type"] = issued.GetIssuedTokenType()
	if err := t.tell("exchange", what); err != nil {
		return err
	}
	request.SubjectToken = signedIn.GetRefreshToken()
	_, err = t.tokens.ExchangeToken(ctx, request)
	return t.tellRefusal("exchange_refused", err)
}

// exchangeAssertion obtains a token on the word of the platform (RFC 7523 §2.1).
func (t *tour) exchangeAssertion(ctx context.Context) error {
	ctx, cancel := t.call(ctx, "assertion")
	defer cancel()
	answer, err := t.tokens.ExchangeAssertion(ctx, &qscopev1.ExchangeAssertionRequest{Assertion: t.Assertion})
	if err != nil {
		return err
	}
	if err := t.tell("assertion", tokenTold(answer.GetToken())); err != nil {
		return err
	}
	_, err = t.tokens.ExchangeAssertion(ctx, &qscopev1.ExchangeAssertionRequest{Assertion: tampered(t.Assertion)})
	return t.tellRefusal("assertion_refused", err)
}

// tampered changes the first character of a JWT's signature.
func tampered(token string) string {
	text := []byte(token)
	for at := len(text) - 1; at >= 0; at-- {
		if text[at] == '.' {
			if text[at+1] == 'A' {
				text[at+1] = 'B'
			} else {
				text[at+1] = 'A'
			}
			break
		}
	}
	return string(text)
}
