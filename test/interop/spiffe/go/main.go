// Command spiffe-interop is the authority of a trust domain, made with go-spiffe. It writes a bundle, X.509-SVIDs
// and JWT-SVIDs, and the result of go-spiffe for each JWT-SVID, into a folder.
//
//	spiffe-interop FOLDER AUDIENCE
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

const workload = "spiffe://shop.example/orders"

// shown is a JWT-SVID and the result of go-spiffe.
type shown struct {
	Name     string `json:"name"`
	Token    string `json:"token"`
	Accepted bool   `json:"accepted"`
}

type signer struct {
	kid       string
	algorithm jose.SignatureAlgorithm
	key       crypto.Signer
}

func main() {
	folder, audience := os.Args[1], os.Args[2]
	domain := spiffeid.RequireTrustDomainFromString("shop.example")
	ec := signer{"ec", jose.ES256, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	rsaKey := signer{"rsa", jose.RS256, must(rsa.GenerateKey(rand.Reader, 2048))}
	stranger := signer{"ec", jose.ES256, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}

	bundle := spiffebundle.New(domain)
	check(bundle.AddJWTAuthority(ec.kid, ec.key.Public()))
	check(bundle.AddJWTAuthority(rsaKey.kid, rsaKey.key.Public()))
	bundle.SetSequenceNumber(7)
	bundle.SetRefreshHint(2 * time.Minute)

	authority, authorityKey := certificate(domain.IDString(), nil, nil)
	bundle.AddX509Authority(authority)
	writeIdentity(folder, "authority", authority, authorityKey)
	for name, id := range map[string]string{"orders": workload, "billing": "spiffe://shop.example/billing"} {
		leaf, key := certificate(id, authority, authorityKey)
		_, _, err := x509svid.Verify([]*x509.Certificate{leaf}, bundle)
		check(err)
		writeIdentity(folder, name, leaf, key)
	}

	now := time.Now()
	good := map[string]any{
		"sub": workload, "aud": []string{audience}, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	with := func(name string, value any) map[string]any {
		claims := map[string]any{}
		for each := range good {
			claims[each] = good[each]
		}
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
		return claims
	}
	typed := func(typ string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{jose.HeaderType: typ} }
	tokens := []shown{
		{Name: "a JWT-SVID by ES256", Token: sign(ec, good, nil)},
		{Name: "a JWT-SVID by RS256", Token: sign(rsaKey, good, nil)},
		{Name: "one of type JWT", Token: sign(ec, good, typed("JWT"))},
		{Name: "one with an iss, which chooses nothing", Token: sign(ec, with("iss", "https://spire.example"), nil)},
		{Name: "one whose audience is a text", Token: sign(ec, with("aud", audience), nil)},
		{Name: "one for another audience", Token: sign(ec, with("aud", "https://other.example"), nil)},
		{Name: "one without audience", Token: sign(ec, with("aud", nil), nil)},
		{Name: "one that has run out", Token: sign(ec, with("exp", now.Add(-time.Hour).Unix()), nil)},
		{Name: "one without end", Token: sign(ec, with("exp", nil), nil)},
		{Name: "one of another trust domain", Token: sign(ec, with("sub", "spiffe://other.example/orders"), nil)},
		{Name: "one whose subject is no SPIFFE ID", Token: sign(ec, with("sub", "orders"), nil)},
		{Name: "one whose subject is spelled otherwise", Token: sign(ec, with("sub", "spiffe://Shop.example/orders"), nil)},
		{Name: "one without subject", Token: sign(ec, with("sub", nil), nil)},
		{Name: "one by a key that is not in the bundle", Token: sign(stranger, good, nil)},
		{Name: "one that names an unknown key", Token: sign(signer{"none", ec.algorithm, ec.key}, good, nil)},
		{Name: "one that names no key", Token: sign(signer{"", ec.algorithm, ec.key}, good, nil)},
		{Name: "one that names the key of another", Token: sign(signer{"rsa", ec.algorithm, ec.key}, good, nil)},
		{Name: "an access token", Token: sign(ec, good, typed("at+jwt"))},
	}
	for index, token := range tokens {
		_, err := jwtsvid.ParseAndValidate(token.Token, bundle, []string{audience})
		tokens[index].Accepted = err == nil
	}
	write(folder, "bundle.json", must(bundle.Marshal()))
	write(folder, "tokens.json", must(json.Marshal(tokens)))
}

func sign(by signer, claims map[string]any, headers map[jose.HeaderKey]any) string {
	key := jose.SigningKey{Algorithm: by.algorithm, Key: by.key}
	if by.kid != "" {
		key.Key = jose.JSONWebKey{Key: by.key, KeyID: by.kid}
	}
	options := &jose.SignerOptions{ExtraHeaders: headers}
	return must(jwt.Signed(must(jose.NewSigner(key, options))).Claims(claims).Serialize())
}

// certificate issues an X.509-SVID. Without a parent, it issues the certificate of the authority.
func certificate(id string, parent *x509.Certificate, parentKey crypto.Signer) (*x509.Certificate, crypto.Signer) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, big.NewInt(1<<62))),
		Subject:      pkix.Name{Organization: []string{"workload"}},
		URIs:         []*url.URL{must(url.Parse(id))},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if parent == nil {
		template.Subject.Organization = []string{"authority"}
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		template.ExtKeyUsage = nil
		parent, parentKey = template, key
	}
	der := must(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey))
	return must(x509.ParseCertificate(der)), key
}

func writeIdentity(folder, name string, certificate *x509.Certificate, key crypto.Signer) {
	der := must(x509.MarshalPKCS8PrivateKey(key))
	write(folder, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
	write(folder, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func write(folder, name string, content []byte) {
	check(os.WriteFile(filepath.Join(folder, name), content, 0o600))
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
