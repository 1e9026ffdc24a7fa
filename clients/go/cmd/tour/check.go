package main

import (
	"context"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// nobodys is well-formed and was issued to nobody.
const nobodys = "qat_0000000000000000000000000000000000000000000"

// check is what a resource server does with the tokens it is handed.
func (t *tour) check(ctx context.Context) error {
	token, err := t.mintFor(ctx, &qscopev1.MintTokenRequest{
		Client: t.Orders.secret(), Scopes: []string{"orders.read"}, Audiences: []string{t.WarehouseAudience},
	})
	if err != nil {
		return err
	}
	verify := func(step, token string, scopes ...string) (*qscopev1.VerifyTokenResponse, error) {
		ctx, cancel := t.call(ctx, step)
		defer cancel()
		return t.tokens.VerifyToken(ctx, &qscopev1.VerifyTokenRequest{
			Client:         t.Warehouse.secret(),
			Token:          token,
			RequiredScopes: scopes,
			Audience:       &t.WarehouseAudience,
		})
	}
	verified, err := verify("verify", token, "orders.read")
	if err != nil {
		return err
	}
	if err := t.tell("verify", claimsTold(verified.GetClaims())); err != nil {
		return err
	}
	_, err = verify("verify_unknown", nobodys)
	if err := t.tellRefusal("verify_unknown", err); err != nil {
		return err
	}
	_, err = verify("verify_scope", token, "orders.read", "orders.write")
	if err := t.tellRefusal("verify_scope", err); err != nil {
		return err
	}
	return t.introspect(ctx, token)
}

func (t *tour) introspect(ctx context.Context, token string) error {
	ctx, cancel := t.call(ctx, "introspect")
	defer cancel()
	one, err := t.tokens.IntrospectToken(ctx, &qscopev1.IntrospectTokenRequest{Client: t.Warehouse.secret(), Token: token})
	if err != nil {
		return err
	}
	what := claimsTold(one.GetClaims())
	what["active"] = one.GetActive()
	if err := t.tell("introspect", what); err != nil {
		return err
	}
	several, err := t.tokens.BatchIntrospectTokens(ctx, &qscopev1.BatchIntrospectTokensRequest{
		Client: t.Warehouse.secret(), Tokens: []string{token, nobodys, token},
	})
	if err != nil {
		return err
	}
	active := []bool{}
	for _, result := range several.GetResults() {
		active = append(active, result.GetActive())
	}
	return t.tell("batch_introspect", told{"active": active})
}

// isActive asks as the client that a token was issued to.
func (t *tour) isActive(ctx context.Context, client *qscopev1.ClientAuthentication, token string) (bool, error) {
	ctx, cancel := t.call(ctx, "is_active")
	defer cancel()
	answer, err := t.tokens.IntrospectToken(ctx, &qscopev1.IntrospectTokenRequest{Client: client, Token: token})
	return answer.GetActive(), err
}
