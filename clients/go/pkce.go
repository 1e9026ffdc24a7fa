package qscope

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// PKCE ties an authorization code to the program that asked for it (RFC 7636).
type PKCE struct {
	// Verifier stays in the program until the code is exchanged.
	Verifier string
	// Challenge goes along with the user: BASE64URL(SHA256(Verifier)).
	Challenge string
}

// NewPKCE draws a verifier of 256 bits.
func NewPKCE() PKCE {
	var drawn [32]byte
	rand.Read(drawn[:]) // never fails, see its documentation
	verifier := base64.RawURLEncoding.EncodeToString(drawn[:])
	sum := sha256.Sum256([]byte(verifier))
	return PKCE{Verifier: verifier, Challenge: base64.RawURLEncoding.EncodeToString(sum[:])}
}
