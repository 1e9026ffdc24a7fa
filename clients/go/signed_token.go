package qscope

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// longestToken is QScope's bound: what is longer was not issued by it.
const longestToken = 8192

// algorithms are those that QScope signs with; never `none`, never a symmetric one.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256}

// oneSpelling takes no padding, no white space and no bits beyond the last byte (RFC 7515 §2).
var oneSpelling = base64.RawURLEncoding.Strict()

// refusedMembers of a header: no extension is understood (RFC 7515 §4.1.11), b64
// (RFC 7797) changes what is signed, whether it is called critical or not, and
// keys come from the key set alone.
var refusedMembers = []string{"crit", "b64", "jwk", "jku", "x5c", "x5u"}

// signedToken is a JWT access token that is well-formed; nothing of it is proved.
type signedToken struct {
	algorithm string
	keyID     string
	payload   []byte
}

// readSignedToken takes a compact JWS apart (RFC 7515 §7.1): three parts, and a
// header that names a key and an algorithm of QScope and asks for nothing else
// to be understood.
func readSignedToken(token string) (*signedToken, error) {
	if len(token) > longestToken {
		return nil, errors.New("longer than any token of QScope")
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("not of three parts")
	}
	var decoded [3][]byte
	for index, part := range parts {
		// Go's decoder passes over line breaks.
		if part == "" || strings.ContainsAny(part, "\r\n") {
			return nil, errors.New("a part is empty or has line breaks")
		}
		bytes, err := oneSpelling.DecodeString(part)
		if err != nil {
			return nil, err
		}
		decoded[index] = bytes
	}
	header, err := readObject(decoded[0])
	if err != nil {
		return nil, err
	}
	algorithm, _ := header["alg"].(string)
	if !slices.Contains(algorithms, jose.SignatureAlgorithm(algorithm)) {
		return nil, errors.New("not signed with an algorithm of QScope")
	}
	keyID, _ := header["kid"].(string)
	if keyID == "" {
		return nil, errors.New("names no key")
	}
	// RFC 9068 §4; media types compare without case.
	if typ, _ := header["typ"].(string); !strings.EqualFold(typ, "at+jwt") && !strings.EqualFold(typ, "application/at+jwt") {
		return nil, errors.New("not an access token: its typ is not at+jwt")
	}
	for _, name := range refusedMembers {
		if _, isThere := header[name]; isThere {
			return nil, errors.New("its header has " + name)
		}
	}
	return &signedToken{algorithm: algorithm, keyID: keyID, payload: decoded[1]}, nil
}
