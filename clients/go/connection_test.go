package qscope

import (
	"encoding/json"
	"os"
	"testing"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// plaintextCases are what the libraries of all languages are held against.
func plaintextCases(t *testing.T) (loopback, elsewhere []string) {
	text, err := os.ReadFile("../conformance/plaintext-cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases struct{ Loopback, Elsewhere []string }
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases.Loopback) == 0 || len(cases.Elsewhere) == 0 {
		t.Fatal("the table is empty")
	}
	return cases.Loopback, cases.Elsewhere
}

func TestPlaintextStaysOnThisMachineUnlessAskedFor(t *testing.T) {
	loopback, elsewhere := plaintextCases(t)
	for _, target := range loopback {
		if !isLoopback(target) {
			t.Errorf("%q is on this machine", target)
		}
	}
	for _, target := range elsewhere {
		if isLoopback(target) {
			t.Errorf("%q is not on this machine", target)
		}
		if _, err := Connect(target, insecure.NewCredentials()); err == nil {
			t.Errorf("connects to %q in plaintext", target)
		}
	}
}

func TestPlaintextLeavesThisMachineWhereItIsAskedFor(t *testing.T) {
	const target = "dns:///qscope.internal:50051"
	if _, err := Connect(target, insecure.NewCredentials(), AllowPlaintext()); err != nil {
		t.Error(err)
	}
	if _, err := Connect(target, credentials.NewTLS(nil)); err != nil {
		t.Error(err)
	}
	if _, err := Connect("127.0.0.1:50051", insecure.NewCredentials()); err != nil {
		t.Error(err)
	}
}
