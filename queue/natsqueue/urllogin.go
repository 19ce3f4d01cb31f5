package natsqueue

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// setLogin reads who the URL says that we are.
func (p *place) setLogin(user *url.Userinfo, given url.Values) error {
	var ways []string
	if user != nil {
		ways = append(ways, "user:password@ or token@")
		name := user.Username()
		password, isUser := user.Password()
		if isUser {
			p.options = append(p.options, nats.UserInfo(name, password))
		} else {
			p.options = append(p.options, nats.Token(name))
		}
	}
	for _, way := range []struct {
		name string
		read func(file string) (nats.Option, error)
	}{{"creds", readCreds}, {"nkey", readNKey}, {"tokenFile", readToken}} {
		file := given.Get(way.name)
		if file == "" {
			continue
		}
		ways = append(ways, way.name)
		option, err := way.read(file)
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		p.options = append(p.options, option)
	}
	if len(ways) > 1 {
		return fmt.Errorf("login: %s: one of them is allowed", strings.Join(ways, ", "))
	}
	p.login = len(ways) == 1
	return nil
}

// readCreds reads a user's JWT and key. The client reads the file anew at each
// connection, so that one which was replaced counts.
func readCreds(file string) (nats.Option, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	jwt, err := nkeys.ParseDecoratedJWT(text)
	_, errKey := nkeys.ParseDecoratedNKey(text)
	if err != nil || errKey != nil || strings.Count(jwt, ".") != 2 {
		return nil, fmt.Errorf("%s: it holds no user's JWT and key, as 'nsc generate creds' writes", file)
	}
	return nats.UserCredentials(file), nil
}

func readNKey(file string) (nats.Option, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, err
	}
	option, err := nats.NkeyOptionFromSeed(file)
	if err != nil {
		return nil, fmt.Errorf("%s: it holds no user's nkey seed, which begins with SU", file)
	}
	return option, nil
}

func readToken(file string) (nats.Option, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsAny(token, "\n\r") {
		return nil, fmt.Errorf("%s: it must hold one line, the token", file)
	}
	return nats.Token(token), nil
}

// setTLS reads the certificates. A server's name is checked against what the
// URL calls it, unless servername says otherwise.
func (p *place) setTLS(secure bool, given url.Values) error {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: given.Get("servername")}
	if file := given.Get("ca"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("ca %s: it holds no certificate in PEM", file)
		}
	}
	cert, key := given.Get("cert"), given.Get("key")
	if (cert == "") != (key == "") {
		return fmt.Errorf("cert %q, key %q: both or neither must be given", cert, key)
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("cert %q, key %q: %w", cert, key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if stated := c.ServerName != "" || c.RootCAs != nil || cert != ""; stated && !secure {
		return errors.New("ca, cert, key, servername: they need TLS: write tls:// for nats://")
	}
	if secure {
		p.options = append(p.options, nats.Secure(c))
	}
	return nil
}
