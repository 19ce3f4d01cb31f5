package natsqueue

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

const (
	natsPort    = "4222"
	maxReplicas = 5 // the most that a JetStream stream may have
)

var (
	schemes    = []string{"nats", "tls"}
	parameters = []string{"prefix", "replicas", "creds", "nkey", "tokenFile", "ca", "cert", "key", "servername"}
)

// place is a store URL that was read.
type place struct {
	name     string // what people may be told: without login and parameters
	servers  []string
	login    bool // the URL has one
	options  []nats.Option
	prefix   string // "" for the default
	replicas int    // 0 for the default
}

// CheckURL tells what is wrong with a store URL, in one line and without its
// login. It reads the files that the URL names and connects to nothing.
func CheckURL(raw string) error {
	_, err := parseURL(raw)
	return err
}

// parseURL reads a store URL. No error holds a login.
func parseURL(raw string) (*place, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, errors.New("store URL: it begins with no scheme: nats://host:port is the plainest form")
	}
	for _, s := range schemes {
		if strings.Contains(rest, ","+s+"://") {
			return nil, errors.New("store URL: its scheme and login are said once, before all hosts: nats://user:password@host,host")
		}
	}
	// Several hosts make no URL to net/url: it reads the rest.
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if strings.ContainsAny(rest[end:], "@#") {
		// Nothing of it is shown: it may be the rest of a password.
		return nil, errors.New(`store URL: write "/", "?" and "#" in a login as %2F, %3F and %23, and "@" or "#" elsewhere as %40 and %23`)
	}
	at := strings.LastIndexByte(rest[:end], '@') + 1
	hosts := rest[at:end]
	u, err := url.Parse("nats://" + rest[:at] + "host" + rest[end:])
	if err != nil {
		return nil, errors.New("store URL: its login, path or parameters are not percent-encoded: % is written as %25")
	}
	p := &place{name: scheme + "://" + hosts}
	if err := p.read(scheme, hosts, u); err != nil {
		return nil, fmt.Errorf("store URL %s: %w", p.name, err)
	}
	return p, nil
}

func (p *place) read(scheme, hosts string, u *url.URL) error {
	if !slices.Contains(schemes, scheme) {
		return fmt.Errorf("scheme %q: allowed: %s", scheme, strings.Join(schemes, ", "))
	}
	if path := strings.TrimPrefix(u.Path, "/"); path != "" {
		return fmt.Errorf("path %q: none is allowed: ?prefix=NAME keeps stores of one server apart", path)
	}
	for h := range strings.SplitSeq(hosts, ",") {
		address, err := hostPort(h)
		if err != nil {
			return err
		}
		p.servers = append(p.servers, scheme+"://"+address)
	}
	given, err := readQuery(u.RawQuery)
	if err != nil {
		return err
	}
	if err := p.setLogin(u.User, given); err != nil {
		return err
	}
	if err := p.setTLS(scheme == "tls", given); err != nil {
		return err
	}
	return p.setLayout(given)
}

// hostPort reads host[:port].
func hostPort(h string) (string, error) {
	name, port := h, natsPort
	if strings.HasPrefix(h, "[") && strings.HasSuffix(h, "]") {
		name = h[1 : len(h)-1]
	} else if strings.Contains(h, ":") {
		var err error
		if name, port, err = net.SplitHostPort(h); err != nil {
			return "", fmt.Errorf("host %q: host, host:port or [IPv6]:port is allowed", h)
		}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("host %q: port %q: 1 to 65535 is allowed", h, port)
	}
	if name == "" {
		return "", fmt.Errorf("host %q: it must have a name or an address", h)
	}
	return net.JoinHostPort(name, port), nil
}

// readQuery reads what follows the question mark.
func readQuery(query string) (url.Values, error) {
	given, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("parameters: name=value&name=value, percent-encoded, is allowed")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(parameters, name) {
			return nil, fmt.Errorf("parameter %q: allowed: %s", name, strings.Join(parameters, ", "))
		}
		if values := given[name]; len(values) != 1 || values[0] == "" {
			return nil, fmt.Errorf("parameter %q: it must have one value", name)
		}
	}
	return given, nil
}

// setLayout reads what says how the store keeps queues.
func (p *place) setLayout(given url.Values) error {
	p.prefix = given.Get("prefix")
	if err := checkPrefix(p.prefix); err != nil {
		return err
	}
	if text := given.Get("replicas"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxReplicas {
			return fmt.Errorf("replicas %q: 1 to %d is allowed", text, maxReplicas)
		}
		p.replicas = n
	}
	return nil
}
