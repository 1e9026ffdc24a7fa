// Command caching verifies tokens with a caching verifier, for as long as its
// standard input lasts. Its argument is a file of settings; see README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/grpc/credentials/insecure"

	qscope "qscope.internal/client"
	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

const (
	patience = time.Minute
	pause    = 10 * time.Millisecond
)

type settings struct {
	Address      string `json:"address"`
	Issuer       string `json:"issuer"`
	Audience     string `json:"audience"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	BoundMs      int    `json:"bound_ms"`
}

// asked is a line of standard input: a token, and what it is to come to, if that
// is to be waited for.
type asked struct {
	Token string `json:"token"`
	Until string `json:"until"`
}

// told is a line of standard output.
type told struct {
	Result  string `json:"result"`
	Current bool   `json:"current"`
	AfterMs int64  `json:"after_ms"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: caching SETTINGS.json")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdin, json.NewEncoder(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "caching:", err)
		os.Exit(1)
	}
}

func run(path string, lines io.Reader, out *json.Encoder) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	is := settings{}
	if err := json.Unmarshal(text, &is); err != nil {
		return err
	}
	connection, err := qscope.Connect(is.Address, insecure.NewCredentials())
	if err != nil {
		return err
	}
	defer connection.Close()
	verifier, err := qscope.NewCachingVerifier(qscopev1.NewTokenServiceClient(connection), qscope.CachingConfig{
		Client: qscope.WithSecret(is.ClientID, is.ClientSecret), Audience: is.Audience, Issuer: is.Issuer,
		Bound: time.Duration(is.BoundMs) * time.Millisecond,
	})
	if err != nil {
		return err
	}
	defer verifier.Close()
	for started := time.Now(); !verifier.State().IsCurrent && time.Since(started) < patience; {
		time.Sleep(pause)
	}
	if err := out.Encode(map[string]bool{"current": verifier.State().IsCurrent}); err != nil {
		return err
	}
	for scanner := bufio.NewScanner(lines); scanner.Scan(); {
		line := asked{}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			return err
		}
		if err := out.Encode(comeTo(verifier, line)); err != nil {
			return err
		}
	}
	return nil
}

// comeTo verifies a token until it comes to what it is to come to, or once.
func comeTo(verifier *qscope.CachingVerifier, line asked) told {
	started := time.Now()
	for {
		what := told{Result: resultOf(verifier, line.Token), AfterMs: time.Since(started).Milliseconds()}
		if line.Until == "" || line.Until == what.Result || time.Since(started) > patience {
			what.Current = verifier.State().IsCurrent
			return what
		}
		time.Sleep(pause)
	}
}

func resultOf(verifier *qscope.CachingVerifier, token string) string {
	_, err := verifier.Verify(context.Background(), token)
	switch {
	case err == nil:
		return "accepted"
	case errors.Is(err, qscope.ErrInvalidToken):
		return "invalid_token"
	case errors.Is(err, qscope.ErrInsufficientScope):
		return "insufficient_scope"
	default:
		return "unavailable"
	}
}
