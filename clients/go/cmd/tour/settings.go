package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
)

// settings name a server and the clients that are registered there for the tour.
type settings struct {
	Address string `json:"address"`
	// LossyAddress is a place without TLS where answers get lost.
	LossyAddress string `json:"lossy_address"`
	CAFile       string `json:"ca_file"`
	Issuer       string `json:"issuer"`
	// RayPrefix begins the ray id of each call; the step's name follows.
	RayPrefix string `json:"ray_prefix"`
	// Orders mints for itself and has scopes orders.read and orders.write.
	Orders registered `json:"orders"`
	// Warehouse is the resource server of WarehouseAudience, and exchanges tokens for BillingAudience.
	Warehouse         registered `json:"warehouse"`
	WarehouseAudience string     `json:"warehouse_audience"`
	BillingAudience   string     `json:"billing_audience"`
	// Shop is a web application whose users sign in.
	Shop registered `json:"shop"`
	// Television is a public client on a device without a browser.
	Television registered `json:"television"`
	// Reports is given JWT access tokens.
	Reports registered `json:"reports"`
	// Courier proves itself by a certificate.
	Courier registered `json:"courier"`
	// FrontEnd may record what users decided.
	FrontEnd registered `json:"front_end"`
	// Operator may read clients and tokens.
	Operator registered `json:"operator"`
	// Assertion is what the platform says about Orders.
	Assertion string `json:"assertion"`
	// Workload is proved by the token in its file, which its platform replaces.
	Workload workload `json:"workload"`
	// VerifierCasesFile has the tokens of clients/conformance.
	VerifierCasesFile string `json:"verifier_cases_file"`
}

// workload is a client that its platform knows; each of its tokens is good for one call.
type workload struct {
	ClientID      string `json:"client_id"`
	AssertionFile string `json:"assertion_file"`
	// NextAssertion is what the platform puts into the file in the end.
	NextAssertion string `json:"next_assertion"`
}

// registered is a client as the registration told it.
type registered struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RedirectURI  string `json:"redirect_uri"`
	CertFile     string `json:"cert_file"`
	KeyFile      string `json:"key_file"`
}

func readSettings(path string) (*settings, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	read := &settings{}
	return read, json.Unmarshal(text, read)
}

// tlsConfig trusts the CA, and shows the client's certificate where it has one.
func (s *settings) tlsConfig(client registered) (*tls.Config, error) {
	authority, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, errors.New(s.CAFile + " holds no certificate")
	}
	config := &tls.Config{RootCAs: roots}
	if client.CertFile != "" {
		own, err := tls.LoadX509KeyPair(client.CertFile, client.KeyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}
