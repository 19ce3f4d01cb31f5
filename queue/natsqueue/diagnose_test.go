package natsqueue_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
)

// found checks that each finding begins with what is wanted, where * stands for
// anything.
func found(t *testing.T, url string, want map[string]string, monitors ...string) {
	t.Helper()
	list, err := natsqueue.DiagnoseMonitored(t.Context(), url, monitors)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string, len(list))
	for _, f := range list {
		if _, twice := got[f.Check]; twice || f.Detail == "" || strings.Contains(f.Detail, "\n") {
			t.Errorf("finding %+v: twice, empty or of several lines", f)
		}
		got[f.Check] = string(f.Verdict) + " " + f.Detail
	}
	for check, begin := range want {
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(begin), `\*`, ".*")
		if !regexp.MustCompile(pattern).MatchString(got[check]) {
			t.Errorf("%s: %q, want %q...", check, got[check], begin)
		}
	}
}

// accounts is configuration of users: u, whose account imports the settings of
// the servers, and v, whose login may publish to nothing but its streams.
func accounts(sync string) string {
	return fmt.Sprintf(`
		jetstream { store_dir: $DIR, sync_interval: %s }
		accounts {
			SYS: { exports: [{service: "%[2]s", response_type: stream}] }
			KEEP: {
				jetstream: { max_file: 100MB, max_streams: 2 }
				users: [
					{user: u, password: p}
					{user: v, password: p, permissions: {publish: [_INBOX.>]}}
				]
				imports: [{service: {account: SYS, subject: "%[2]s"}}]
			}
			MEMORY: { users: [{user: w, password: p}] }
		}
		system_account: SYS`, sync, natsqueue.SettingsSubject)
}

// keep makes a stream as a queue has one.
func keep(t *testing.T, url string, c jetstream.StreamConfig) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	c.Subjects = []string{strings.ReplaceAll(c.Name, "=", ".") + ".log.*"}
	if _, err := js.CreateOrUpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func TestDiagnoseOfAServerThatTellsNothing(t *testing.T) {
	t.Parallel()
	found(t, natstest.Start(t).URL(), map[string]string{
		"server":     "ok nats-server 2.",
		"durability": "unknown only the server's operator knows its sync_interval: unless it is always, a crashed host loses what was acknowledged in the last 2 minutes",
		"streams":    "ok there is no queue yet",
		"disk":       "ok the account uses 0.0 MiB of disk, without a limit but the server's own",
		"failover":   "ok one server: nothing fails over",
		"payload":    "ok max_payload is 1.0 MiB: an item whose payload is that large is refused",
		"latency":    "ok a round trip takes ",
	})
}

func TestDiagnoseOfSettingsThatAreTold(t *testing.T) {
	t.Parallel()
	as := func(s *natstest.Server, user string) string { return "nats://" + user + ":p@" + s.Addr }
	s := natstest.Start(t, accounts("always"))
	found(t, as(s, "u"), map[string]string{
		"durability": "ok sync_interval always, as one server tells: neither a killed server nor a crashed host loses",
		"disk":       "ok the account uses 0.0 MiB of disk of 100.0 MiB; when that is full nothing more is taken",
		"clock":      "ok the store's clock differs",
	})
	found(t, as(s, "v"), map[string]string{
		"durability": "unknown ",
		"disk":       "unknown the login may not ask for the account's limits",
		"streams":    "unknown the login may not list streams",
	})
	found(t, as(s, "w"), map[string]string{"disk": "fault JetStream is off for the login's account"})
	keep(t, as(s, "u"), jetstream.StreamConfig{Name: "sluice=a"})
	found(t, as(s, "u"), map[string]string{"streams": "ok 1 stream on disk, none discards", "clock": "ok the store's clock differs"})
	keep(t, as(s, "u"), jetstream.StreamConfig{Name: "other"})
	found(t, as(s, "u"), map[string]string{"streams": "ok 1 stream on disk", "disk": "warn the account uses *; it has all of the 2 streams that it may have"})

	s = natstest.Start(t, accounts("30s"), "max_payload: 1000")
	found(t, as(s, "u"), map[string]string{
		"durability": "warn sync_interval 30s (n*): a killed server loses nothing; a crashed host loses up to the last 30s of what was acknowledged: set jetstream { sync_interval: always }",
		"payload":    "warn max_payload is ",
	})
}

func TestDiagnoseOfStreamsThatForget(t *testing.T) {
	for want, c := range map[string]jetstream.StreamConfig{
		"fault stream sluice=a is in memory":                                  {Storage: jetstream.MemoryStorage},
		"fault stream sluice=a has persist_mode async: a killed":              {PersistMode: jetstream.AsyncPersistMode},
		"fault stream sluice=a has a limit at which it forgets (max_msgs 5, ": {MaxMsgs: 5},
		"fault stream sluice=a has a limit *max_bytes 5000, ":                 {MaxBytes: 5000},
		"fault stream sluice=a has a limit *max_age 1h0m0s, ":                 {MaxAge: time.Hour},
		"fault stream sluice=a has a limit *max_msgs_per_subject 1)":          {MaxMsgsPerSubject: 1},
		"warn stream sluice=a has max_bytes 5000: once it is full":            {MaxBytes: 5000, Discard: jetstream.DiscardNew},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := natstest.Start(t)
			c.Name = "sluice=a"
			keep(t, s.URL(), c)
			found(t, s.URL(), map[string]string{"streams": want})
		})
	}
}

func TestDiagnoseWithoutJetStream(t *testing.T) {
	t.Parallel()
	found(t, natstest.Start(t, "jetstream: disabled").URL(), map[string]string{"disk": "fault JetStream is off, so that nothing can be kept: start nats-server with --jetstream"})
}

func TestDiagnoseOfACluster(t *testing.T) {
	t.Parallel()
	c := natstest.StartCluster(t)
	found(t, c.URL(), map[string]string{"server": `ok nats-server 2.*, in the cluster "test"`, "failover": "warn new queues get one replica"})
	found(t, c.URL()+"?replicas=3", map[string]string{"failover": "ok 3 replicas: 1 node may fail and nothing that was acknowledged is lost"})
	keep(t, c.URL(), jetstream.StreamConfig{Name: "sluice=a", Replicas: 1})
	found(t, c.URL()+"?replicas=3", map[string]string{"failover": "warn stream sluice=a has 1 replica: while that node is away its queue stands still, and with the node's disk it is lost: 'nats stream edit sluice=a --replicas 3' mends it"})
}

func TestDiagnoseOfNobody(t *testing.T) {
	if _, err := natsqueue.Diagnose(t.Context(), "nats://127.0.0.1:1"); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := natsqueue.Diagnose(ctx, natstest.Start(t).URL()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v of a call that was cancelled", err)
	}
}
