package redisqueue

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

const (
	redisPort    = "6379"
	sentinelPort = "26379"
)

var schemes = []string{"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"}

// CheckURL tells what is wrong with a store URL, in one line and without its
// password. It reads the files that the URL names and connects to nothing.
func CheckURL(raw string) error {
	_, err := parseURL(raw)
	return err
}

// parseURL reads a store URL. No error holds a password.
func parseURL(raw string) (place, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return place{}, errors.New("store URL: it begins with no scheme: redis://host:port is the plainest form")
	}
	// Several hosts make no URL to net/url: it reads the rest.
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if strings.ContainsAny(rest[end:], "@#") {
		// Nothing of it is shown: it may be the rest of a password.
		return place{}, errors.New(`store URL: write "/", "?" and "#" in a login as %2F, %3F and %23, and "@" or "#" elsewhere as %40 and %23`)
	}
	at := strings.LastIndexByte(rest[:end], '@') + 1
	hosts := rest[at:end]
	u, err := url.Parse("redis://" + rest[:at] + "host" + rest[end:])
	if err != nil {
		return place{}, errors.New("store URL: its login, path or parameters are not percent-encoded: % is written as %25")
	}
	p := place{name: scheme + "://" + hosts + u.EscapedPath()}
	if err := p.read(scheme, hosts, u); err != nil {
		return place{}, fmt.Errorf("store URL %s: %w", p.name, err)
	}
	return p, nil
}

func (p *place) read(scheme, hosts string, u *url.URL) error {
	if !slices.Contains(schemes, scheme) {
		return fmt.Errorf("scheme %q: allowed: %s", scheme, strings.Join(schemes, ", "))
	}
	base, kind, _ := strings.Cut(scheme, "+")
	o := &p.opts
	o.Username = u.User.Username()
	o.Password, _ = u.User.Password()
	path := strings.TrimPrefix(u.Path, "/")
	port, params := redisPort, []string{"db"}
	switch {
	case base == "unix":
		if hosts != "" || path == "" {
			return fmt.Errorf("host %q: a socket has a path alone: unix:///path/of/socket", hosts)
		}
		o.Addrs = []string{u.Path}
		return p.setParams(u.RawQuery, params, false)
	case kind == "sentinel":
		if path == "" || strings.Contains(path, "/") {
			return fmt.Errorf("primary %q: Sentinel's name of it must follow the hosts: %s://host:port,host:port/NAME", path, scheme)
		}
		o.MasterName = path
		port = sentinelPort
		params = append(params, "sentinelUser", "sentinelPassword")
	case kind == "cluster":
		if path != "" {
			return fmt.Errorf("path %q: a cluster has one database and no path", path)
		}
		o.IsClusterMode = true
		params = nil
	case strings.Contains(hosts, ","):
		return fmt.Errorf("hosts %q: one is allowed: several make %s+sentinel or %s+cluster", hosts, scheme, scheme)
	case path != "":
		params = nil // the path is the db
		if err := p.setDB(path); err != nil {
			return err
		}
	}
	var err error
	if o.Addrs, err = addresses(hosts, port); err != nil {
		return err
	}
	if base == "rediss" {
		params = append(params, "ca", "cert", "key", "servername")
	}
	return p.setParams(u.RawQuery, params, base == "rediss")
}

// setParams reads what follows the question mark.
func (p *place) setParams(query string, allowed []string, secure bool) error {
	given, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("parameters: name=value&name=value, percent-encoded, is allowed")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(allowed, name) {
			if len(allowed) == 0 {
				return fmt.Errorf("parameter %q: none is allowed here", name)
			}
			return fmt.Errorf("parameter %q: allowed here: %s", name, strings.Join(allowed, ", "))
		}
		if values := given[name]; len(values) != 1 || values[0] == "" {
			return fmt.Errorf("parameter %q: it must have one value", name)
		}
	}
	p.opts.SentinelUsername, p.opts.SentinelPassword = given.Get("sentinelUser"), given.Get("sentinelPassword")
	if db := given.Get("db"); db != "" {
		if err := p.setDB(db); err != nil {
			return err
		}
	}
	if !secure {
		return nil
	}
	p.opts.TLSConfig, err = tlsConfig(given)
	return err
}

func (p *place) setDB(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return fmt.Errorf("db %q: a number from 0 is allowed", text)
	}
	p.opts.DB = n
	return nil
}

// addresses reads host[:port],...
func addresses(hosts, port string) ([]string, error) {
	var out []string
	for h := range strings.SplitSeq(hosts, ",") {
		name, at := h, port
		if strings.HasPrefix(h, "[") && strings.HasSuffix(h, "]") {
			name = h[1 : len(h)-1]
		} else if strings.Contains(h, ":") {
			var err error
			if name, at, err = net.SplitHostPort(h); err != nil {
				return nil, fmt.Errorf("host %q: host, host:port or [IPv6]:port is allowed", h)
			}
		}
		if n, err := strconv.Atoi(at); err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("host %q: port %q: 1 to 65535 is allowed", h, at)
		}
		if name == "" {
			return nil, fmt.Errorf("host %q: it must have a name or an address", h)
		}
		out = append(out, net.JoinHostPort(name, at))
	}
	return out, nil
}

// tlsConfig reads the certificates. A server's name is checked against what
// the URL calls it, unless servername says otherwise.
func tlsConfig(given url.Values) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: given.Get("servername")}
	if file := given.Get("ca"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca %s: it holds no certificate in PEM", file)
		}
	}
	cert, key := given.Get("cert"), given.Get("key")
	if (cert == "") != (key == "") {
		return nil, fmt.Errorf("cert %q, key %q: both or neither must be given", cert, key)
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("cert %q, key %q: %w", cert, key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
