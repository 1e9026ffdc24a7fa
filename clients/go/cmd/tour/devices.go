package main

import (
	"context"
	"errors"
	"io"

	qscope "qscope.internal/client"
	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// devices signs in on a device without a browser (RFC 8628).
func (t *tour) devices(ctx context.Context) error {
	if err := t.watch(ctx, "device_watch", t.approve); err != nil {
		return err
	}
	if err := t.watch(ctx, "device_denied", t.deny); err != nil {
		return err
	}
	return t.poll(ctx)
}

func (t *tour) television() *qscopev1.ClientAuthentication {
	return qscope.WithoutSecret(t.Television.ClientID)
}

func (t *tour) startDevice(ctx context.Context) (*qscopev1.StartDeviceAuthorizationResponse, error) {
	return t.devicesOf.StartDeviceAuthorization(ctx, &qscopev1.StartDeviceAuthorizationRequest{
		Client: t.television(), Scopes: []string{"orders.read"},
	})
}

// watch waits for the decision on a stream; the user decides once it is open.
func (t *tour) watch(ctx context.Context, step string, decide func(context.Context, string) error) error {
	ctx, cancel := t.call(ctx, step)
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
	what := told{"refresh_token": ""}
	var states []string
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		states = append(states, event.GetState().String())
		if len(states) == 1 {
			if err := decide(ctx, started.GetUserCode()); err != nil {
				return err
			}
		}
		if token := event.GetToken(); token != nil {
			what = tokenTold(token)
		}
	}
	what["states"], what["user_code"] = states, started.GetUserCode()
	return t.tell(step, what)
}

// approve is the front end's part: it shows what is asked for, and the user consents.
func (t *tour) approve(ctx context.Context, userCode string) error {
	look := &qscopev1.GetDeviceAuthorizationRequest{UserCode: userCode}
	shown, err := t.devicesOf.GetDeviceAuthorization(ctx, look, t.frontEnd)
	if err != nil {
		return err
	}
	_, err = t.devicesOf.ApproveDeviceAuthorization(ctx, &qscopev1.ApproveDeviceAuthorizationRequest{
		UserCode: userCode, User: user("grace"), Scopes: shown.GetDeviceAuthorization().GetScopes(),
	}, t.frontEnd)
	return err
}

func (t *tour) deny(ctx context.Context, userCode string) error {
	request := &qscopev1.DenyDeviceAuthorizationRequest{UserCode: userCode}
	_, err := t.devicesOf.DenyDeviceAuthorization(ctx, request, t.frontEnd)
	return err
}

// poll asks for the decision, as clients do that cannot keep a stream open.
func (t *tour) poll(ctx context.Context) error {
	ctx, cancel := t.call(ctx, "device_poll")
	defer cancel()
	started, err := t.startDevice(ctx)
	if err != nil {
		return err
	}
	redeem := func() (*qscopev1.RedeemDeviceCodeResponse, error) {
		return t.devicesOf.RedeemDeviceCode(ctx, &qscopev1.RedeemDeviceCodeRequest{
			Client: t.television(), DeviceCode: started.GetDeviceCode(),
		})
	}
	_, err = redeem()
	if err := t.tellRefusal("device_pending", err); err != nil {
		return err
	}
	_, err = redeem()
	if err := t.tellRefusal("device_slow_down", err); err != nil {
		return err
	}
	if err := t.approve(ctx, started.GetUserCode()); err != nil {
		return err
	}
	redeemed, err := redeem()
	if err != nil {
		return err
	}
	if err := t.tell("device_poll", tokenTold(redeemed.GetToken())); err != nil {
		return err
	}
	_, err = redeem()
	return t.tellRefusal("device_redeemed", err)
}
