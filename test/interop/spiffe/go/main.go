// Command spiffe-interop is the authority of a trust domain, made with go-spiffe. It writes bundles, certificates and
// JWT-SVIDs, and the result of go-spiffe for each of them, into a folder.
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
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
)

const workload = "spiffe://shop.example/orders"

// shown is a JWT-SVID and the result of go-spiffe.
type shown struct {
	Name     string `json:"name"`
	Token    string `json:"token"`
	Accepted bool   `json:"accepted"`
}

// presented is the certificate of a caller, and whether go-spiffe accepts it as that of the workload.
type presented struct {
	Name     string `json:"name"`
	File     string `json:"file"`
	Accepted bool   `json:"accepted"`
}

// stage is a bundle of a trust domain that replaces its keys, and the JWT-SVIDs that go-spiffe then accepts.
type stage struct {
	Bundle   string   `json:"bundle"`
	Accepted []string `json:"accepted"`
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

	authority, authorityKey := certificate(domain.IDString(), asAuthority, nil, nil)
	bundle.AddX509Authority(authority)
	writeIdentity(folder, "authority", authority, authorityKey)
	write(folder, "certificates.json", must(json.Marshal(presentedBy(folder, bundle, authority, authorityKey))))

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
	write(folder, "rotation.json", must(json.Marshal(rotation(audience))))
}

// presentedBy issues certificates, and has go-spiffe verify each as a TLS server does.
func presentedBy(folder string, bundle *spiffebundle.Bundle, authority *x509.Certificate, key crypto.Signer) []presented {
	stranger, strangerKey := certificate("spiffe://shop.example", asAuthority, nil, nil)
	hour := time.Hour
	cases := []struct {
		name   string
		id     string
		change func(*x509.Certificate)
	}{
		{"the X.509-SVID of the workload", workload, nil},
		{"one with a DNS name", workload, func(c *x509.Certificate) { c.DNSNames = []string{"orders.shop.example"} }},
		{"one without a key usage", workload, func(c *x509.Certificate) { c.KeyUsage = 0 }},
		{"one of another workload", "spiffe://shop.example/billing", nil},
		{"one of another trust domain", "spiffe://other.example/orders", nil},
		{"one of the trust domain itself", "spiffe://shop.example", nil},
		{"one that has expired", workload, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = c.NotBefore.Add(-2*hour), c.NotAfter.Add(-2*hour)
		}},
		{"one that is not yet valid", workload, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = c.NotBefore.Add(2*hour), c.NotAfter.Add(2*hour)
		}},
		{"a certificate with two SPIFFE IDs", workload, func(c *x509.Certificate) {
			c.URIs = append(c.URIs, must(url.Parse("spiffe://shop.example/billing")))
		}},
		{"a certificate with another URI", workload, func(c *x509.Certificate) {
			c.URIs = append(c.URIs, must(url.Parse("https://orders.shop.example/")))
		}},
		{"a certificate without a URI", workload, func(c *x509.Certificate) {
			c.URIs, c.DNSNames = nil, []string{"orders.shop.example"}
		}},
		{"the certificate of a CA", workload, func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid = true, true
		}},
		{"a certificate whose key signs certificates", workload, func(c *x509.Certificate) {
			c.KeyUsage |= x509.KeyUsageCertSign
		}},
		{"a certificate whose key signs revocation lists", workload, func(c *x509.Certificate) {
			c.KeyUsage |= x509.KeyUsageCRLSign
		}},
	}
	verify := tlsconfig.VerifyPeerCertificate(bundle, tlsconfig.AuthorizeID(spiffeid.RequireFromString(workload)))
	list := []presented{}
	add := func(name string, leaf *x509.Certificate, leafKey crypto.Signer) {
		file := "presented-" + strconv.Itoa(len(list))
		writeIdentity(folder, file, leaf, leafKey)
		list = append(list, presented{name, file, verify([][]byte{leaf.Raw}, nil) == nil})
	}
	for _, each := range cases {
		leaf, leafKey := certificate(each.id, each.change, authority, key)
		add(each.name, leaf, leafKey)
	}
	leaf, leafKey := certificate(workload, nil, stranger, strangerKey)
	add("one of another authority of that name", leaf, leafKey)
	return list
}

// rotation replaces the only JWT key of a trust domain by another one. go-spiffe validates the JWT-SVIDs of both keys
// with each bundle.
func rotation(audience string) map[string]any {
	domain := spiffeid.RequireTrustDomainFromString("rotating.example")
	before := signer{"before", jose.ES256, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	after := signer{"after", jose.ES256, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	now := time.Now()
	claims := map[string]any{
		"sub": "spiffe://rotating.example/orders", "aud": audience, "iat": now.Unix(), "exp": now.Add(50 * time.Minute).Unix(),
	}
	tokens := map[string]string{before.kid: sign(before, claims, nil), after.kid: sign(after, claims, nil)}
	// The source of bundles, in which each one replaces the one before.
	source := spiffebundle.NewSet()
	stages := []stage{}
	for sequence, keys := range [][]signer{{before}, {before, after}, {after}} {
		bundle := spiffebundle.New(domain)
		for _, key := range keys {
			check(bundle.AddJWTAuthority(key.kid, key.key.Public()))
		}
		bundle.SetSequenceNumber(uint64(sequence))
		source.Add(bundle)
		accepted := []string{}
		for _, by := range []signer{before, after} {
			if _, err := jwtsvid.ParseAndValidate(tokens[by.kid], source, []string{audience}); err == nil {
				accepted = append(accepted, by.kid)
			}
		}
		stages = append(stages, stage{string(must(bundle.Marshal())), accepted})
	}
	return map[string]any{"tokens": tokens, "stages": stages}
}

func sign(by signer, claims map[string]any, headers map[jose.HeaderKey]any) string {
	key := jose.SigningKey{Algorithm: by.algorithm, Key: by.key}
	if by.kid != "" {
		key.Key = jose.JSONWebKey{Key: by.key, KeyID: by.kid}
	}
	options := &jose.SignerOptions{ExtraHeaders: headers}
	return must(jwt.Signed(must(jose.NewSigner(key, options))).Claims(claims).Serialize())
}

// certificate issues an X.509-SVID, unless it is changed to something else. Without a parent, it signs itself.
func certificate(
	id string, change func(*x509.Certificate), parent *x509.Certificate, parentKey crypto.Signer,
) (*x509.Certificate, crypto.Signer) {
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
	if change != nil {
		change(template)
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der := must(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey))
	return must(x509.ParseCertificate(der)), key
}

func asAuthority(template *x509.Certificate) {
	template.Subject.Organization = []string{"authority"}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.ExtKeyUsage = nil
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
