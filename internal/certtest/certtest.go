// Package certtest makes certificates for servers of tests.
package certtest

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
	"testing"
	"time"
)

// Name is what the certificates call their server beside 127.0.0.1.
const Name = "sluice.test"

// Files are cert.pem and key.pem of a folder. One certificate does for all: it
// is its own authority.
type Files struct{ Cert, Key string }

// Write makes them in a folder, good for an hour, for server and client.
func Write(t testing.TB, dir string) Files {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: Name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:              []string{Name},
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
	f := Files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	for _, p := range []struct {
		file, kind string
		der        []byte
	}{{f.Cert, "CERTIFICATE", der}, {f.Key, "PRIVATE KEY", secret}} {
		if err := os.WriteFile(p.file, pem.EncodeToMemory(&pem.Block{Type: p.kind, Bytes: p.der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// Params are the files as parameters of a store's URL.
func (f Files) Params() url.Values {
	return url.Values{"ca": {f.Cert}, "cert": {f.Cert}, "key": {f.Key}}
}

// Config is for a client or a server that shows the certificate and trusts it.
func (f Files) Config(t testing.TB) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	ca := x509.NewCertPool()
	ca.AddCert(pair.Leaf)
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: ca, MinVersion: tls.VersionTLS12}
}
