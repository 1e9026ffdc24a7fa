package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	qscope "qscope.internal/client"
)

// verifierCases are the table of clients/conformance with finished tokens.
type verifierCases struct {
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	Clock    int64  `json:"clock"`
	Cases    []struct {
		Name           string   `json:"name"`
		Token          string   `json:"token"`
		Certificate    *string  `json:"certificate"`
		RequiredScopes []string `json:"required_scopes"`
	} `json:"cases"`
}

// verifiers judges every token of the table offline.
func (t *tour) verifiers(ctx context.Context) error {
	text, err := os.ReadFile(t.VerifierCasesFile)
	if err != nil {
		return err
	}
	table := &verifierCases{}
	if err := json.Unmarshal(text, table); err != nil {
		return err
	}
	ctx, cancel := t.call(ctx, "verifier_cases")
	defer cancel()
	clock := qscope.WithClock(func() time.Time { return time.Unix(table.Clock, 0) })
	verifier := qscope.NewJWTVerifier(t.tokens, table.Issuer, table.Audience, clock)
	verdicts := map[string]any{}
	for _, each := range table.Cases {
		options := []qscope.VerifyOption{qscope.WithRequiredScopes(each.RequiredScopes...)}
		if each.Certificate != nil {
			options = append(options, qscope.WithCertificateThumbprint(*each.Certificate))
		}
		claims, err := verifier.Verify(ctx, each.Token, options...)
		switch {
		case err == nil:
			verdicts[each.Name] = accepted(claims)
		case errors.Is(err, qscope.ErrInsufficientScope):
			verdicts[each.Name] = told{"result": "insufficient_scope"}
		case errors.Is(err, qscope.ErrInvalidToken):
			verdicts[each.Name] = told{"result": "invalid_token"}
		default:
			return err
		}
	}
	return t.tell("verifier_cases", told{"verdicts": verdicts})
}

func accepted(claims *qscope.AccessClaims) told {
	what := told{
		"result":       "accepted",
		"token_id":     claims.ID,
		"client_id":    claims.ClientID,
		"subject":      claims.Subject,
		"subject_type": claims.SubjectType,
		"scopes":       append([]string{}, claims.Scopes...),
		"audiences":    []string(claims.Audience),
		"issuer":       claims.Issuer,
		"issue_time":   int64(*claims.IssuedAt),
		"expire_time":  int64(*claims.Expiry),
		"actors":       append([]string{}, claims.Actors...),
		"certificate":  nil,
	}
	if claims.CertificateThumbprint != "" {
		what["certificate"] = claims.CertificateThumbprint
	}
	return what
}
