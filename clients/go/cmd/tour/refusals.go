package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	qscope "qscope.internal/client"
	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// refusals provokes what a program has to cope with.
func (t *tour) refusals(ctx context.Context) error {
	if err := t.wrongSecret(ctx); err != nil {
		return err
	}
	wrong := map[string]*qscopev1.MintTokenRequest{
		"bad_lifetime": {Client: t.Orders.secret(), Lifetime: seconds(172_800)},
		"bad_scope":    {Client: t.Orders.secret(), Scopes: []string{"orders.read", "orders.burn"}},
		"bad_audience": {Client: t.Orders.secret(), Audiences: []string{"https://elsewhere.example"}},
		"bad_grant":    {Client: t.Shop.secret()},
	}
	for _, step := range []string{"bad_lifetime", "bad_scope", "bad_audience", "bad_grant"} {
		ctx, cancel := t.call(ctx, step)
		_, err := t.tokens.MintToken(ctx, wrong[step])
		cancel()
		if err := t.tellRefusal(step, err); err != nil {
			return err
		}
	}
	if err := t.tooLate(ctx); err != nil {
		return err
	}
	return t.cancelled(ctx)
}

// wrongSecret also reads the ray id in the answer's header.
func (t *tour) wrongSecret(ctx context.Context) error {
	ctx, cancel := t.call(ctx, "wrong_secret")
	defer cancel()
	var header metadata.MD
	request := &qscopev1.MintTokenRequest{Client: qscope.WithSecret(t.Orders.ClientID, t.Warehouse.ClientSecret)}
	_, err := t.tokens.MintToken(ctx, request, grpc.Header(&header))
	if err := t.tell("header", told{"x_ray_id": header.Get("x-ray-id")}); err != nil {
		return err
	}
	return t.tellRefusal("wrong_secret", err)
}

func (t *tour) tooLate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 0)
	defer cancel()
	_, err := t.tokens.GetJsonWebKeySet(ctx, &qscopev1.GetJsonWebKeySetRequest{})
	return t.tellRefusal("deadline", err)
}

// cancelled stops watching before anybody has decided.
func (t *tour) cancelled(ctx context.Context) error {
	ctx, cancel := t.call(ctx, "cancelled")
	defer cancel()
	started, err := t.startDevice(ctx)
	if err != nil {
		return err
	}
	stream, err := t.devicesOf.WatchDeviceAuthorization(ctx, &qscopev1.WatchDeviceAuthorizationRequest{
		Client: t.television(), DeviceCode: started.GetDeviceCode(),
	})
	if err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	cancel()
	_, err = stream.Recv()
	return t.tellRefusal("cancelled", err)
}
