// Package qscope is what a Go program needs beside the generated stubs to call
// QScope: a connection with the published retry policy, a source of tokens that
// are used until shortly before they end, refusals as data, and offline
// verification of JWT access tokens.
package qscope

import (
	_ "embed"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// serviceConfig says what the library may send again: a copy of
// clients/service-config.json, because a module embeds only its own files.
//
//go:embed service-config.json
var serviceConfig string

// plaintextAllowed is a mark among the options; gRPC does nothing with it.
type plaintextAllowed struct{ grpc.EmptyDialOption }

// AllowPlaintext lets plaintext leave this machine, where anybody can read the
// secrets and tokens of the calls and put in keys of their own: inside a mesh
// that encrypts. Without it Connect takes insecure.NewCredentials() only for a
// loopback address or a Unix socket.
func AllowPlaintext() grpc.DialOption { return plaintextAllowed{} }

// reconnect bounds the pauses between attempts to connect, as
// clients/channel-settings.json says: gRPC's own grow to 120 s, in which
// instances that were restarted one after the other may all have gone.
var reconnect = grpc.ConnectParams{
	Backoff: backoff.Config{
		BaseDelay:  500 * time.Millisecond,
		Multiplier: backoff.DefaultConfig.Multiplier,
		Jitter:     backoff.DefaultConfig.Jitter,
		MaxDelay:   10 * time.Second,
	},
	MinConnectTimeout: 5 * time.Second,
}

// Connect returns a connection to QScope at an address such as
// "dns:///qscope.internal:50051". It is made once and shared: calls of any
// number of goroutines travel on it side by side. Calls are spread over all
// addresses of the name; look-ups and minting are sent again by the library
// while the server is away, whatever spends a code or a refresh token is not.
func Connect(
	target string, transport credentials.TransportCredentials, more ...grpc.DialOption,
) (*grpc.ClientConn, error) {
	if transport.Info().SecurityProtocol == "insecure" && !allowsPlaintext(more) && !isLoopback(target) {
		return nil, fmt.Errorf("%q is not on this machine: secrets do not go there in plaintext (or say AllowPlaintext)", target)
	}
	options := append([]grpc.DialOption{
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithConnectParams(reconnect),
		// Finds out that a watched server is gone, where no packet would tell.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 5 * time.Minute, Timeout: 10 * time.Second}),
	}, more...)
	// Last, so that nothing else is in its place.
	options = append(options, grpc.WithTransportCredentials(transport))
	return grpc.NewClient(target, options...)
}

func allowsPlaintext(options []grpc.DialOption) bool {
	for _, option := range options {
		if _, is := option.(plaintextAllowed); is {
			return true
		}
	}
	return false
}
