// Program oauth-interop gets tokens from the OAuth endpoints with general libraries: golang.org/x/oauth2
// and the STS credentials of gRPC. It prints the results as one JSON object.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/sts"
)

type client struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

type settings struct {
	Issuer       string `json:"issuer"`
	CAFile       string `json:"ca_file"`
	CertFile     string `json:"cert_file"`
	KeyFile      string `json:"key_file"`
	Orders       client `json:"orders"`
	Warehouse    client `json:"warehouse"`
	Shop         client `json:"shop"`
	RedirectURI  string `json:"redirect_uri"`
	Code         string `json:"code"`
	CodeVerifier string `json:"code_verifier"`
	Audience     string `json:"audience"`
	Billing      string `json:"billing"`
}

func main() {
	answers, err := run(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file string) (map[string]any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var given settings
	if err := json.Unmarshal(text, &given); err != nil {
		return nil, err
	}
	trusted, err := os.ReadFile(given.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	certificate, err := tls.LoadX509KeyPair(given.CertFile, given.KeyFile)
	if err != nil {
		return nil, err
	}
	ctx := trusting(&tls.Config{RootCAs: roots})
	shown := trusting(&tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}})
	answers := map[string]any{}

	for name, style := range map[string]oauth2.AuthStyle{"basic": oauth2.AuthStyleInHeader, "post": oauth2.AuthStyleInParams} {
		config := given.clientCredentials(given.Orders, style)
		config.Scopes = []string{"orders.read"}
		config.EndpointParams = url.Values{"audience": {given.Audience}}
		if answers[name], err = tokenOf(config.Token(ctx)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}

	courier := given.clientCredentials(client{ID: "courier"}, oauth2.AuthStyleInParams)
	if answers["certificate"], err = tokenOf(courier.Token(shown)); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}

	wrong := given.clientCredentials(client{ID: given.Orders.ID, Secret: "wrong"}, oauth2.AuthStyleInHeader)
	_, err = wrong.Token(ctx)
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return nil, fmt.Errorf("a wrong secret: %w", err)
	}
	answers["wrong"] = map[string]any{"error": refused.ErrorCode, "status": refused.Response.StatusCode}

	shop := oauth2.Config{
		ClientID:     given.Shop.ID,
		ClientSecret: given.Shop.Secret,
		RedirectURL:  given.RedirectURI,
		Endpoint:     given.endpoint(oauth2.AuthStyleInHeader),
	}
	signedIn, err := shop.Exchange(ctx, given.Code, oauth2.VerifierOption(given.CodeVerifier))
	if answers["code"], err = tokenOf(signedIn, err); err != nil {
		return nil, fmt.Errorf("code: %w", err)
	}
	refreshed, err := shop.TokenSource(ctx, &oauth2.Token{RefreshToken: signedIn.RefreshToken}).Token()
	if answers["refresh"], err = tokenOf(refreshed, err); err != nil {
		return nil, fmt.Errorf("refresh: %w", err)
	}

	if answers["sts"], err = given.exchange(answers["basic"].(map[string]any)["access_token"].(string)); err != nil {
		return nil, fmt.Errorf("sts: %w", err)
	}
	return answers, nil
}

func (s settings) endpoint(style oauth2.AuthStyle) oauth2.Endpoint {
	return oauth2.Endpoint{TokenURL: s.Issuer + "/oauth2/token", AuthStyle: style}
}

func (s settings) clientCredentials(c client, style oauth2.AuthStyle) *clientcredentials.Config {
	return &clientcredentials.Config{
		ClientID:     c.ID,
		ClientSecret: c.Secret,
		TokenURL:     s.Issuer + "/oauth2/token",
		AuthStyle:    style,
	}
}

// exchange exchanges a token with gRPC's STS credentials, which have no client authentication: net/http makes a Basic header
// from the URL.
func (s settings) exchange(subject string) (string, error) {
	file := filepath.Join(filepath.Dir(s.CAFile), "subject-token")
	if err := os.WriteFile(file, []byte(subject), 0o600); err != nil {
		return "", err
	}
	at := strings.Replace(s.Issuer, "https://", "https://"+s.Warehouse.ID+":"+s.Warehouse.Secret+"@", 1)
	// It trusts the CAs of the machine, which SSL_CERT_FILE sets.
	perCall, err := sts.NewCredentials(sts.Options{
		TokenExchangeServiceURI: at + "/oauth2/token",
		Audience:                s.Billing,
		Scope:                   "orders.read",
		SubjectTokenPath:        file,
		SubjectTokenType:        "urn:ietf:params:oauth:token-type:access_token",
	})
	if err != nil {
		return "", err
	}
	// The security level of a call over TLS.
	ctx := credentials.NewContextWithRequestInfo(context.Background(), credentials.RequestInfo{
		AuthInfo: credentials.TLSInfo{CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}},
	})
	metadata, err := perCall.GetRequestMetadata(ctx)
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(metadata["Authorization"], "Bearer "), nil
}

func trusting(config *tls.Config) context.Context {
	caller := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	return context.WithValue(context.Background(), oauth2.HTTPClient, caller)
}

func tokenOf(token *oauth2.Token, err error) (map[string]any, error) {
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"access_token":  token.AccessToken,
		"refresh_token": token.RefreshToken,
		"type":          token.Type(),
		"scope":         token.Extra("scope"),
		"expires":       !token.Expiry.IsZero(),
	}, nil
}
