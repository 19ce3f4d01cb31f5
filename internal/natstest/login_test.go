package natstest_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"sluice.dev/internal/natstest"
)

func TestEachLoginLetsInItsUserAlone(t *testing.T) {
	secure, files := natstest.TLS(t)
	byKey, keyFile := natstest.NKey(t)
	key, err := nats.NkeyOptionFromSeed(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	byCreds, credsFile := natstest.Creds(t, nil)
	for name, test := range map[string]struct {
		conf  string
		login nats.Option
	}{
		"TLS":   {secure, nats.Secure(files.Config(t))},
		"nkey":  {byKey, key},
		"creds": {byCreds, nats.UserCredentials(credsFile)},
	} {
		t.Run(name, func(t *testing.T) {
			s := natstest.Start(t, test.conf)
			nc, err := nats.Connect(s.URL(), test.login)
			if err != nil {
				t.Fatalf("%v\n%s", err, s.Log())
			}
			defer nc.Close()
			js, err := nc.JetStream()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := js.AccountInfo(); err != nil {
				t.Error(err)
			}
			if stranger, err := nats.Connect(s.URL()); err == nil {
				stranger.Close()
				t.Error("somebody without a login is let in")
			}
		})
	}
}
