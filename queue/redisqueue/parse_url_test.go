package redisqueue

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"
)

func TestStoreURLs(t *testing.T) {
	for raw, want := range map[string]redis.UniversalOptions{
		"redis://h":                     {Addrs: []string{"h:6379"}},
		"redis://h/":                    {Addrs: []string{"h:6379"}},
		"redis://h:1/2":                 {Addrs: []string{"h:1"}, DB: 2},
		"redis://h?db=2":                {Addrs: []string{"h:6379"}, DB: 2},
		"redis://[::1]:1":               {Addrs: []string{"[::1]:1"}},
		"redis://[::1]":                 {Addrs: []string{"[::1]:6379"}},
		"redis://:p@h":                  {Addrs: []string{"h:6379"}, Password: "p"},
		"redis://u:p%40%2F%23@h":        {Addrs: []string{"h:6379"}, Username: "u", Password: "p@/#"},
		"rediss://h":                    {Addrs: []string{"h:6379"}, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}},
		"rediss://h/3?servername=s":     {Addrs: []string{"h:6379"}, DB: 3, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "s"}},
		"unix:///run/r.sock?db=3":       {Addrs: []string{"/run/r.sock"}, DB: 3},
		"unix://u:p@/r":                 {Addrs: []string{"/r"}, Username: "u", Password: "p"},
		"redis+sentinel://a,b:1/m":      {Addrs: []string{"a:26379", "b:1"}, MasterName: "m"},
		"redis+cluster://a":             {Addrs: []string{"a:6379"}, IsClusterMode: true},
		"redis+cluster://:p@a:1,[::]":   {Addrs: []string{"a:1", "[::]:6379"}, IsClusterMode: true, Password: "p"},
		"rediss+cluster://a":            {Addrs: []string{"a:6379"}, IsClusterMode: true, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}},
		"redis+sentinel://u:p@a/m?db=4": {Addrs: []string{"a:26379"}, MasterName: "m", DB: 4, Username: "u", Password: "p"},
		"redis+sentinel://a/m?sentinelUser=su&sentinelPassword=sp": {
			Addrs: []string{"a:26379"}, MasterName: "m", SentinelUsername: "su", SentinelPassword: "sp"},
	} {
		got, err := parseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if diff := cmp.Diff(want, got.opts, cmpopts.IgnoreUnexported(tls.Config{})); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

func TestABadURLIsRefusedInOneLineWithoutItsPassword(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                "store URL: it begins with no scheme: redis://host:port",
		"localhost:6379":                  "store URL: it begins with no scheme",
		"amqp://:secret@h":                `store URL amqp://h: scheme "amqp": allowed: redis, rediss, unix, redis+sentinel, rediss+sentinel, redis+cluster, rediss+cluster`,
		"redis://":                        `host "": it must have a name`,
		"redis://:secret@:1":              `host ":1": it must have a name`,
		"redis://:secret@h:x":             `host "h:x": port "x": 1 to 65535 is allowed`,
		"redis://h:65536":                 `port "65536": 1 to 65535 is allowed`,
		"redis://h:1:2":                   `host "h:1:2": host, host:port or [IPv6]:port is allowed`,
		"redis://::1":                     `host "::1": host, host:port or [IPv6]:port is allowed`,
		"redis://a,b":                     `hosts "a,b": one is allowed: several make redis+sentinel or redis+cluster`,
		"redis://h/x":                     `db "x": a number from 0 is allowed`,
		"redis://h/-1":                    `db "-1": a number from 0 is allowed`,
		"redis://h/1?db=1":                `parameter "db": none is allowed here`,
		"redis://h?db=1&db=2":             `parameter "db": it must have one value`,
		"redis://h?db=":                   `parameter "db": it must have one value`,
		"redis://h?ca=x":                  `parameter "ca": allowed here: db`,
		"redis://h?a;b":                   "parameters: name=value",
		"redis://:%secret@h":              "% is written as %25",
		"redis://:sec#ret@h":              `write "/", "?" and "#" in a login as %2F, %3F and %23`,
		"redis://:sec/ret@h":              `write "/", "?" and "#" in a login as %2F, %3F and %23`,
		"unix://h/x":                      `host "h": a socket has a path alone`,
		"unix://:secret@":                 "a socket has a path alone: unix:///path/of/socket",
		"redis+sentinel://h":              `primary "": Sentinel's name of it must follow the hosts: redis+sentinel://host:port,host:port/NAME`,
		"redis+sentinel://h/a/b":          `primary "a/b"`,
		"redis+cluster://h/1":             `path "1": a cluster has one database and no path`,
		"redis+cluster://h?db=1":          `parameter "db": none is allowed here`,
		"rediss+cluster://h?db=1":         `parameter "db": allowed here: ca, cert, key, servername`,
		"rediss://h?ca=/nowhere":          "ca: open /nowhere: no such file",
		"rediss://h?ca=/dev/null":         "ca /dev/null: it holds no certificate in PEM",
		"rediss://h?cert=/x":              `cert "/x", key "": both or neither must be given`,
		"rediss://h?cert=/nowhere&key=/x": `cert "/nowhere", key "/x": open /nowhere`,
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
		if strings.Contains(text, "\n") || slices.ContainsFunc([]string{"secret", ":sec"}, func(s string) bool { return strings.Contains(text, s) }) {
			t.Errorf("%s: error %q holds a new line or a password", raw, text)
		}
	}
}
