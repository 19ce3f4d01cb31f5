package natsqueue

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"sluice.dev/internal/natstest"
)

// read is what a URL says.
type read struct {
	Servers               []string
	User, Password, Token string
	Secure                bool
	ServerName            string
	Prefix                string
	Replicas              int
}

func TestStoreURLs(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]read{
		"nats://h":                     {Servers: []string{"nats://h:4222"}},
		"nats://h:1/":                  {Servers: []string{"nats://h:1"}},
		"nats://[::1]":                 {Servers: []string{"nats://[::1]:4222"}},
		"nats://[::1]:1":               {Servers: []string{"nats://[::1]:1"}},
		"nats://a,b:1,c":               {Servers: []string{"nats://a:4222", "nats://b:1", "nats://c:4222"}},
		"nats://u:p@a,b":               {Servers: []string{"nats://a:4222", "nats://b:4222"}, User: "u", Password: "p"},
		"nats://u:p%40%2F%23@h":        {Servers: []string{"nats://h:4222"}, User: "u", Password: "p@/#"},
		"nats://t%3A@h":                {Servers: []string{"nats://h:4222"}, Token: "t:"},
		"nats://h?tokenFile=" + token:  {Servers: []string{"nats://h:4222"}, Token: "secret"},
		"nats://h?replicas=3&prefix=x": {Servers: []string{"nats://h:4222"}, Replicas: 3, Prefix: "x"},
		"nats://h/?prefix=Ab-c_1":      {Servers: []string{"nats://h:4222"}, Prefix: "Ab-c_1"},
		"tls://h":                      {Servers: []string{"tls://h:4222"}, Secure: true},
		"tls://h?servername=s":         {Servers: []string{"tls://h:4222"}, Secure: true, ServerName: "s"},
	} {
		p, err := parseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		var o nats.Options
		for _, set := range p.options {
			if err := set(&o); err != nil {
				t.Fatal(err)
			}
		}
		got := read{Servers: p.servers, User: o.User, Password: o.Password, Token: o.Token, Secure: o.Secure, Prefix: p.prefix, Replicas: p.replicas}
		if o.TLSConfig != nil {
			got.ServerName = o.TLSConfig.ServerName
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

func TestABadURLIsRefusedInOneLineWithoutItsLogin(t *testing.T) {
	_, nkey := natstest.NKey(t)
	_, creds := natstest.Creds(t, nil)
	for raw, want := range map[string]string{
		"":                                    "store URL: it begins with no scheme: nats://host:port is the plainest form",
		"localhost:4222":                      "store URL: it begins with no scheme",
		"ws://:secret@h":                      `store URL ws://h: scheme "ws": allowed: nats, tls`,
		"nats://":                             `host "": it must have a name`,
		"nats://:secret@:1":                   `host ":1": it must have a name`,
		"nats://:secret@h:x":                  `host "h:x": port "x": 1 to 65535 is allowed`,
		"nats://h:65536":                      `port "65536": 1 to 65535 is allowed`,
		"nats://a,":                           `host "": it must have a name`,
		"nats://h:1:2":                        `host "h:1:2": host, host:port or [IPv6]:port is allowed`,
		"nats://u:secret@a,nats://u:secret@b": "its scheme and login are said once, before all hosts: nats://user:password@host,host",
		"nats://h/x":                          `path "x": none is allowed: ?prefix=NAME keeps stores of one server apart`,
		"nats://h?db=1":                       `parameter "db": allowed: prefix, replicas, creds, nkey, tokenFile, ca, cert, key, servername`,
		"nats://h?prefix=a&prefix=b":          `parameter "prefix": it must have one value`,
		"nats://h?prefix=":                    `parameter "prefix": it must have one value`,
		"nats://h?prefix=a.b":                 `prefix "a.b" has 3 bytes: 1 to 64 are allowed, of letters, digits, '-' and '_'`,
		"nats://h?replicas=0":                 `replicas "0": 1 to 5 is allowed`,
		"nats://h?replicas=6":                 `replicas "6": 1 to 5 is allowed`,
		"nats://h?replicas=all":               `replicas "all": 1 to 5 is allowed`,
		"nats://h?a;b":                        "parameters: name=value",
		"nats://:%secret@h":                   "% is written as %25",
		"nats://:sec#ret@h":                   `write "/", "?" and "#" in a login as %2F, %3F and %23`,
		"nats://:sec/ret@h":                   `write "/", "?" and "#" in a login as %2F, %3F and %23`,
		"nats://h?creds=/nowhere":             "creds: open /nowhere: no such file",
		"nats://h?creds=/dev/null":            "creds: /dev/null: it holds no user's JWT and key",
		"nats://h?creds=" + nkey:              "it holds no user's JWT and key",
		"nats://h?nkey=/nowhere":              "nkey: stat /nowhere: no such file",
		"nats://h?nkey=/dev/null":             "nkey: /dev/null: it holds no user's nkey seed",
		"nats://h?tokenFile=/nowhere":         "tokenFile: open /nowhere: no such file",
		"nats://h?tokenFile=/dev/null":        "tokenFile: /dev/null: it must hold one line, the token",
		"nats://secret@h?creds=" + creds:      "login: user:password@ or token@, creds: one of them is allowed",
		"nats://h?ca=" + creds:                "it holds no certificate in PEM",
		"nats://h?servername=x":               "ca, cert, key, servername: they need TLS: write tls:// for nats://",
		"tls://h?ca=/nowhere":                 "ca: open /nowhere: no such file",
		"tls://h?cert=/x":                     `cert "/x", key "": both or neither must be given`,
		"tls://h?cert=/nowhere&key=/x":        `cert "/nowhere", key "/x": open /nowhere`,
	} {
		err := CheckURL(raw)
		if err == nil {
			t.Errorf("%s is accepted", raw)
			continue
		}
		text := err.Error()
		if !strings.HasPrefix(text, "store URL") || !strings.Contains(text, want) {
			t.Errorf("%s: error %q, want %q in it", raw, text, want)
		}
		if strings.Contains(text, "\n") || strings.Contains(text, "secret") || strings.Contains(text, ":sec") {
			t.Errorf("%s: error %q holds a new line or a login", raw, text)
		}
	}
}
