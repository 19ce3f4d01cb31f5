package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
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
	dir := t.TempDir()
	pair := certify(t, dir)
	ca := x509.NewCertPool()
	ca.AddCert(pair.Leaf)
	config := &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: ca, MinVersion: tls.VersionTLS12}
	f := certificates(dir)
	args := []string{"--tls-ca-cert-file", f.Get("ca"), "--tls-cert-file", f.Get("cert"), "--tls-key-file", f.Get("key"),
		"--tls-replication", "yes", "--tls-cluster", "yes"}
	return func(options ...string) *Server {
		return &Server{Dir: t.TempDir(), args: slices.Concat(args, options), tls: config, certs: dir}
	}
}

// certificates are the files in a folder, as a URL's parameters. One
// certificate does for all: it is its own authority.
func certificates(dir string) url.Values {
	cert := filepath.Join(dir, "cert.pem")
	return url.Values{"ca": {cert}, "cert": {cert}, "key": {filepath.Join(dir, "key.pem")}}
}

// certify writes a certificate for this host, signed by itself.
func certify(t testing.TB, dir string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "redistest"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:              []string{"redis.test"},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	f := certificates(dir)
	for _, p := range []struct {
		file, kind string
		der        []byte
	}{{f.Get("cert"), "CERTIFICATE", der}, {f.Get("key"), "PRIVATE KEY", secret}} {
		if err := os.WriteFile(p.file, pem.EncodeToMemory(&pem.Block{Type: p.kind, Bytes: p.der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.LoadX509KeyPair(f.Get("cert"), f.Get("key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}
