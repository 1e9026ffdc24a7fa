package qscope

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4/jwt"
)

// SubjectType tells whom a token speaks for.
type SubjectType string

const (
	// SubjectUser is a user, by the user's id.
	SubjectUser SubjectType = "user"
	// SubjectClient is a client, by its client id.
	SubjectClient SubjectType = "client"
)

// AccessClaims is what a JWT access token says (RFC 9068 §2.2).
type AccessClaims struct {
	jwt.Claims
	// ClientID is the client it was issued to.
	ClientID string `json:"client_id"`
	// Scope is the claim as it stands; Scopes are its names.
	Scope  string   `json:"scope"`
	Scopes []string `json:"-"`
	// SubjectType tells whether Subject is a user or a client.
	SubjectType SubjectType `json:"-"`
	// Actors are who acts for the subject, the latest first (RFC 8693 §4.1).
	Actors []string `json:"-"`
	// CertificateThumbprint is the certificate that the token is bound to
	// (`x5t#S256`, RFC 8705 §3.1); empty for a plain bearer token.
	CertificateThumbprint string `json:"-"`
	// Extra are further claims, which the rule of a trusted issuer made of the
	// assertion that the token was issued for; numbers are float64. Empty: none.
	Extra map[string]any `json:"-"`
	// revocationKeys are those of the claim rvk; none, where they cannot be followed.
	revocationKeys []revocationKey
}

var (
	// userID is the form of users' ids, under which no client can be registered.
	userID = regexp.MustCompile(`(?i)\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\z`)
	// scopeNames have single spaces between (RFC 6749 §3.3).
	scopeNames = regexp.MustCompile(`\A[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*\z`)
)

// mostRevocationKeys is QScope's own bound.
const mostRevocationKeys = 32

// lastSecond is the last of the year 9999, where timestamps end.
const lastSecond = 253_402_300_799

// readAccessClaims reads the claims; an error says which is not what RFC 9068
// §2.2 and QScope make of it.
func readAccessClaims(payload []byte) (*AccessClaims, error) {
	claims, err := readObject(payload)
	if err != nil {
		return nil, err
	}
	read := claimReader{claims: claims}
	is := &AccessClaims{ClientID: read.name("client_id")}
	is.Claims = jwt.Claims{
		Issuer: read.name("iss"), Subject: read.name("sub"), ID: read.name("jti"), Audience: read.audience(),
		Expiry: read.seconds("exp"), IssuedAt: read.seconds("iat"),
	}
	if read.has("nbf") {
		is.NotBefore = read.seconds("nbf")
	}
	if read.has("scope") {
		is.Scope = read.name("scope")
		read.insist("scope", scopeNames.MatchString(is.Scope))
		is.Scopes = strings.Split(is.Scope, " ")
	}
	if read.has("act") {
		is.Actors = read.actors(claims["act"])
	}
	if read.has("cnf") {
		is.CertificateThumbprint = read.thumbprint()
	}
	is.Extra = extraClaims(claims)
	is.revocationKeys = read.revocationKeys()
	is.SubjectType = SubjectClient
	if userID.MatchString(is.Subject) {
		is.SubjectType = SubjectUser
	}
	if read.wrong != "" {
		return nil, errors.New("its claim " + read.wrong + " is missing or malformed")
	}
	return is, nil
}

// claimReader remembers which claim was wrong.
type claimReader struct {
	claims map[string]any
	wrong  string
}

func (r *claimReader) insist(claim string, isRight bool) {
	if !isRight {
		r.wrong = claim
	}
}

func (r *claimReader) has(claim string) bool {
	_, isThere := r.claims[claim]
	return isThere
}

func (r *claimReader) name(claim string) string {
	text, _ := r.claims[claim].(string)
	r.insist(claim, text != "")
	return text
}

// seconds are whole: so QScope writes them.
func (r *claimReader) seconds(claim string) *jwt.NumericDate {
	number, isNumber := r.claims[claim].(json.Number)
	value, err := strconv.ParseFloat(number.String(), 64)
	isRight := isNumber && err == nil && value == math.Trunc(value) && value >= 0 && value <= lastSecond
	r.insist(claim, isRight)
	if !isRight {
		value = 0
	}
	date := jwt.NumericDate(value)
	return &date
}

func (r *claimReader) audience() jwt.Audience {
	listed, isList := r.claims["aud"].([]any)
	if !isList {
		return jwt.Audience{r.name("aud")}
	}
	r.insist("aud", len(listed) > 0)
	audience := jwt.Audience{}
	for _, item := range listed {
		text, _ := item.(string)
		r.insist("aud", text != "")
		audience = append(audience, text)
	}
	return audience
}

// actors are who acts now, then who acted before.
func (r *claimReader) actors(act any) []string {
	actor, isObject := act.(map[string]any)
	subject, _ := actor["sub"].(string)
	r.insist("act", isObject && subject != "")
	if before, isThere := actor["act"]; isThere {
		return append([]string{subject}, r.actors(before)...)
	}
	return []string{subject}
}

// thumbprint is of a certificate: nobody holds what is bound in a way that
// cannot be judged here (RFC 7800 §3.1).
func (r *claimReader) thumbprint() string {
	confirmation, _ := r.claims["cnf"].(map[string]any)
	thumbprint, _ := confirmation["x5t#S256"].(string)
	r.insist("cnf", len(confirmation) == 1 && thumbprint != "")
	return thumbprint
}

// revocationKeys are a claim of QScope's own: whatever it is, the token is good
// without it. Base64url of 16 bytes has one spelling.
func (r *claimReader) revocationKeys() []revocationKey {
	listed, _ := r.claims["rvk"].([]any)
	if len(listed) > mostRevocationKeys {
		return nil
	}
	keys := make([]revocationKey, 0, len(listed))
	for _, item := range listed {
		text, _ := item.(string)
		key := revocationKeyIn(text)
		if key == nil {
			return nil
		}
		keys = append(keys, *key)
	}
	return keys
}

// revocationKeyIn is nil for a text that is none.
func revocationKeyIn(text string) *revocationKey {
	bytes, err := oneSpelling.DecodeString(text)
	if err != nil || len(bytes) != len(revocationKey{}) || len(text) != oneSpelling.EncodedLen(len(bytes)) {
		return nil
	}
	key := revocationKey(bytes)
	return &key
}
