package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// logServer answers what "kubectl logs [-f] [-p]" asks a kubelet.
type logServer struct {
	node   *node
	port   int32
	server *http.Server
}

func newLogServer(n *node) (*logServer, error) {
	cert, err := selfSigned(n.Name)
	if err != nil {
		return nil, err
	}
	l, err := tls.Listen("tcp", loopback+":0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		return nil, err
	}
	s := &logServer{node: n, port: int32(l.Addr().(*net.TCPAddr).Port)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", s.logs)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(l) }() // until close
	return s, nil
}

func (s *logServer) close() { _ = s.server.Close() }

func (s *logServer) logs(w http.ResponseWriter, r *http.Request) {
	p := s.node.find(r.PathValue("namespace"), r.PathValue("pod"))
	if p == nil {
		http.NotFound(w, r)
		return
	}
	f, err := p.openLog(r.PathValue("container"), r.URL.Query().Get("previous") == "true")
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer func() { _ = f.Close() }()
	follow := r.URL.Query().Get("follow") == "true"
	for {
		over := !follow || p.over()
		if _, err := io.Copy(w, f); err != nil || over {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-time.After(100 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

// openLog opens what the container's latest process printed, or the one before.
func (p *pod) openLog(name string, previous bool) (*os.File, error) {
	last := -1
	for ; ; last++ {
		if _, err := os.Stat(p.logFile(name, last+1)); err != nil {
			break
		}
	}
	if previous {
		last--
	}
	if last < 0 {
		return nil, fmt.Errorf("container %s of pod %s has printed nothing", name, p.object.Name)
	}
	return os.Open(p.logFile(name, last))
}

func (p *pod) logFile(container string, restart int) string {
	return filepath.Join(p.dir, fmt.Sprintf("%s.%d.log", container, restart))
}

// selfSigned is a certificate that the API server does not check.
func selfSigned(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().AddDate(1, 0, 0), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
