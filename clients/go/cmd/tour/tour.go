package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	qscope "qscope.internal/client"
	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// patience bounds each call: without a deadline, a call may wait forever.
const patience = 10 * time.Second

// tour is one walk through the service.
type tour struct {
	*settings
	connection *grpc.ClientConn
	tokens     qscopev1.TokenServiceClient
	devicesOf  qscopev1.DeviceServiceClient
	clientsOf  qscopev1.ClientServiceClient
	// frontEnd and operator mint their own bearer tokens, call by call.
	frontEnd grpc.CallOption
	operator grpc.CallOption
	out      *json.Encoder
}

func begin(settings *settings, out io.Writer) (*tour, error) {
	tlsConfig, err := settings.tlsConfig(registered{})
	if err != nil {
		return nil, err
	}
	connection, err := qscope.Connect(settings.Address, credentials.NewTLS(tlsConfig))
	if err != nil {
		return nil, err
	}
	tokens := qscopev1.NewTokenServiceClient(connection)
	bearer := func(client registered) grpc.CallOption {
		request := &qscopev1.MintTokenRequest{Client: client.secret()}
		return grpc.PerRPCCredentials(qscope.NewTokenSource(tokens, request))
	}
	return &tour{
		settings:   settings,
		connection: connection,
		tokens:     tokens,
		devicesOf:  qscopev1.NewDeviceServiceClient(connection),
		clientsOf:  qscopev1.NewClientServiceClient(connection),
		frontEnd:   bearer(settings.FrontEnd),
		operator:   bearer(settings.Operator),
		out:        json.NewEncoder(out),
	}, nil
}

func (t *tour) end() { t.connection.Close() }

func (r registered) secret() *qscopev1.ClientAuthentication {
	return qscope.WithSecret(r.ClientID, r.ClientSecret)
}

// call is the context of one step's calls: its deadline and its ray id, under
// which the server's log and audit log speak of them.
func (t *tour) call(ctx context.Context, step string) (context.Context, context.CancelFunc) {
	ctx = metadata.AppendToOutgoingContext(ctx, "x-ray-id", t.RayPrefix+step)
	return context.WithTimeout(ctx, patience)
}

// told is what a step prints.
type told map[string]any

func (t *tour) tell(step string, what told) error {
	what["step"] = step
	return t.out.Encode(what)
}

// tellRefusal prints a refusal that had to come.
func (t *tour) tellRefusal(step string, err error) error {
	if err == nil {
		return errors.New(step + " was not refused")
	}
	return t.tell(step, refusalTold(qscope.RefusalOf(err)))
}

func refusalTold(refusal *qscope.Refusal) told {
	what := told{
		"status":   code.Code(refusal.Code).String(),
		"reason":   refusal.ReasonName,
		"metadata": map[string]string{},
		"ray_id":   refusal.RayID,
		"remedy":   refusal.Remedy(),
	}
	if refusal.Metadata != nil {
		what["metadata"] = refusal.Metadata
	}
	fields := []string{}
	for _, violation := range refusal.Violations {
		fields = append(fields, violation.GetField())
	}
	what["violations"] = fields
	if refusal.RetryAfter != nil {
		what["retry_after"] = refusal.RetryAfter.Seconds()
	}
	if refusal.Resource != nil {
		what["resource"] = refusal.Resource.GetResourceType() + "/" + refusal.Resource.GetResourceName()
	}
	return what
}

func tokenTold(token *qscopev1.IssuedToken) told {
	return told{
		"access_token":      token.GetAccessToken(),
		"refresh_token":     token.GetRefreshToken(),
		"token_id":          token.GetTokenId(),
		"token_type":        token.GetTokenType(),
		"expires_in":        token.GetExpiresIn().AsDuration().Seconds(),
		"scopes":            token.GetScopes(),
		"audiences":         token.GetAudiences(),
		"issued_token_type": token.GetIssuedTokenType(),
	}
}

func claimsTold(claims *qscopev1.TokenClaims) told {
	actors := []string{}
	for actor := claims.GetActor(); actor != nil; actor = actor.GetActor() {
		actors = append(actors, actor.GetSubject())
	}
	return told{
		"token_id":     claims.GetTokenId(),
		"client_id":    claims.GetClientId(),
		"subject":      claims.GetSubject(),
		"subject_type": claims.GetSubjectType().String(),
		"token_use":    claims.GetTokenUse().String(),
		"scopes":       claims.GetScopes(),
		"audiences":    claims.GetAudiences(),
		"issuer":       claims.GetIssuer(),
		"actors":       actors,
		"x5t_s256":     claims.GetConfirmation().GetX5TS256(),
	}
}

func seconds(n float64) *durationpb.Duration {
	return durationpb.New(time.Duration(n * float64(time.Second)))
}
