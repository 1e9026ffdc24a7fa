package qscope

import (
	"regexp"
	"strings"
)

var (
	// loopbackHost is a host of this machine as it is written; other spellings
	// (`127.1`, `0x7f.1`) are not taken for one.
	loopbackHost = regexp.MustCompile(`(?i)\A(?:localhost|127(?:\.(?:25[0-5]|2[0-4]\d|1?\d{1,2})){3}|\[::1\])\z`)
	endpoint     = regexp.MustCompile(`\A(\[[^\]]*\]|[^\[\]:/@,]*)(?::\d+)?\z`)
	scheme       = regexp.MustCompile(`(?s)\A(dns|passthrough|ipv4|ipv6):(.*)\z`)
)

// isLoopback tells whether a gRPC target is on this machine: plaintext to it
// leaves no trace on any network.
func isLoopback(target string) bool {
	if strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "unix-abstract:") {
		return true
	}
	parts := scheme.FindStringSubmatch(target)
	if parts == nil {
		return isLoopbackEndpoint(target)
	}
	// Only an empty authority leaves the name to this machine.
	endpoints := strings.TrimPrefix(parts[2], "///")
	if parts[1] == "dns" || parts[1] == "passthrough" {
		return isLoopbackEndpoint(endpoints)
	}
	for each := range strings.SplitSeq(endpoints, ",") {
		if !isLoopbackEndpoint(each) {
			return false
		}
	}
	return true
}

func isLoopbackEndpoint(text string) bool {
	parts := endpoint.FindStringSubmatch(text)
	return parts != nil && loopbackHost.MatchString(parts[1])
}
