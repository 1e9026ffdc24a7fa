package main

import (
	"context"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// refresh rotates a refresh token, repeats a call, and shows what reuse does
// (RFC 6749 §6, RFC 9700 §4.14).
func (t *tour) refresh(ctx context.Context) error {
	signedIn, err := t.signIn(ctx)
	if err != nil {
		return err
	}
	refresh := func(step, refreshToken string, scopes ...string) (*qscopev1.IssuedToken, error) {
		ctx, cancel := t.call(ctx, step)
		defer cancel()
		answer, err := t.tokens.RefreshToken(ctx, &qscopev1.RefreshTokenRequest{
			Client: t.Shop.secret(), RefreshToken: refreshToken, Scopes: scopes,
		})
		return answer.GetToken(), err
	}
	second, err := refresh("refresh", signedIn.GetRefreshToken())
	if err != nil {
		return err
	}
	if err := t.tell("refresh", tokenTold(second)); err != nil {
		return err
	}
	repeated, err := refresh("refresh_replay", signedIn.GetRefreshToken())
	if err != nil {
		return err
	}
	if err := t.tell("refresh_replay", tokenTold(repeated)); err != nil {
		return err
	}
	narrowed, err := refresh("refresh_narrowed", second.GetRefreshToken(), "orders.read")
	if err != nil {
		return err
	}
	if err := t.tell("refresh_narrowed", tokenTold(narrowed)); err != nil {
		return err
	}
	// Its successor is spent by now: whoever shows this one is not who got that.
	_, err = refresh("refresh_reuse", signedIn.GetRefreshToken())
	if err := t.tellRefusal("refresh_reuse", err); err != nil {
		return err
	}
	active, err := t.isActive(ctx, t.Shop.secret(), narrowed.GetAccessToken())
	if err != nil {
		return err
	}
	return t.tell("refresh_reused", told{"active": active})
}
