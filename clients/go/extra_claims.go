package qscope

import (
	"encoding/json"
	"strings"
)

// reservedClaims are names that QScope and the RFCs give a meaning: no claim of
// an issuer's rule has one of them.
var reservedClaims = setOf(
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "active", "scope", "client_id", "username",
	"token_type", "auth_time", "acr", "amr", "azp", "nonce", "at_hash", "c_hash", "s_hash", "sid",
	"sub_id", "act", "may_act", "cnf", "authorization_details", "token_introspection", "events",
	"txn", "tctx", "rctx", "req_wl", "purp", "azd", "rvk", "extra", "__proto__", "constructor",
	"prototype",
)

// extraClaims are what a JWT says beyond the claims that QScope itself writes.
func extraClaims(claims map[string]any) map[string]any {
	extra := map[string]any{}
	for name, value := range claims {
		if !reservedClaims[name] && !strings.HasPrefix(strings.ToLower(name), "qscope") {
			extra[name] = withFloats(value)
		}
	}
	return extra
}

// withFloats has numbers as an answer of QScope has them.
func withFloats(value any) any {
	switch value := value.(type) {
	case json.Number:
		float, _ := value.Float64()
		return float
	case []any:
		list := make([]any, 0, len(value))
		for _, element := range value {
			list = append(list, withFloats(element))
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(value))
		for name, member := range value {
			object[name] = withFloats(member)
		}
		return object
	default:
		return value
	}
}

func setOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}
