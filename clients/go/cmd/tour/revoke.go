package main

import (
	"context"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// revoke ends a token of one's own (RFC 7009).
func (t *tour) revoke(ctx context.Context) error {
	token, err := t.mintFor(ctx, &qscopev1.MintTokenRequest{Client: t.Orders.secret()})
	if err != nil {
		return err
	}
	ctx, cancel := t.call(ctx, "revoke")
	defer cancel()
	revoke := func(client *qscopev1.ClientAuthentication, token string) error {
		_, err := t.tokens.RevokeToken(ctx, &qscopev1.RevokeTokenRequest{Client: client, Token: token})
		return err
	}
	if err := t.tellRefusal("revoke_foreign", revoke(t.Warehouse.secret(), token)); err != nil {
		return err
	}
	before, err := t.isActive(ctx, t.Orders.secret(), token)
	if err != nil {
		return err
	}
	if err := revoke(t.Orders.secret(), token); err != nil {
		return err
	}
	after, err := t.isActive(ctx, t.Orders.secret(), token)
	if err != nil {
		return err
	}
	// Once more, and one that is nobody's: both are ended already.
	if err := revoke(t.Orders.secret(), token); err != nil {
		return err
	}
	if err := revoke(t.Orders.secret(), nobodys); err != nil {
		return err
	}
	return t.tell("revoke", told{"before": before, "after": after})
}
