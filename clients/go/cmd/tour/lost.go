package main

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	qscope "qscope.internal/client"
	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// lost calls where the first answer to each method gets lost on its way.
func (t *tour) lost(ctx context.Context) error {
	signedIn, err := t.signIn(ctx)
	if err != nil {
		return err
	}
	connection, err := qscope.Connect(t.LossyAddress, insecure.NewCredentials())
	if err != nil {
		return err
	}
	defer connection.Close()
	tokens := qscopev1.NewTokenServiceClient(connection)
	ctx, cancel := t.call(ctx, "lost")
	defer cancel()
	// The library sends it again by itself.
	minted, err := tokens.MintToken(ctx, &qscopev1.MintTokenRequest{Client: t.Orders.secret()})
	if err != nil {
		return err
	}
	if err := t.tell("mint_lost", tokenTold(minted.GetToken())); err != nil {
		return err
	}
	// Not this one: it is repeated here, once, because the replay window makes that safe.
	request := &qscopev1.RefreshTokenRequest{Client: t.Shop.secret(), RefreshToken: signedIn.GetRefreshToken()}
	refreshed, err := tokens.RefreshToken(ctx, request)
	first := qscope.RefusalOf(err)
	if first != nil && first.Code == codes.Unavailable {
		refreshed, err = tokens.RefreshToken(ctx, request)
	}
	if err != nil {
		return err
	}
	what := tokenTold(refreshed.GetToken())
	if first != nil {
		what["first"] = refusalTold(first)
	}
	return t.tell("refresh_lost", what)
}
