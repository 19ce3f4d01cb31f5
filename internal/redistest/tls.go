package redistest

import (
	"slices"
	"testing"

	"sluice.dev/internal/certtest"
)

// StartTLS starts a server that speaks TLS alone and wants a certificate of
// its clients. The authority for both is of this test; URL names the files.
func StartTLS(t testing.TB, options ...string) *Server {
	t.Helper()
	return secured(t)(options...).launch(t)
}

// secured makes servers that share one authority and speak TLS to each other
// too.
func secured(t testing.TB) maker {
	t.Helper()
	f := certtest.Write(t, t.TempDir())
	config := f.Config(t)
	args := []string{"--tls-ca-cert-file", f.Cert, "--tls-cert-file", f.Cert, "--tls-key-file", f.Key,
		"--tls-replication", "yes", "--tls-cluster", "yes"}
	return func(options ...string) *Server {
		return &Server{Dir: t.TempDir(), args: slices.Concat(args, options), tls: config, certs: f}
	}
}
