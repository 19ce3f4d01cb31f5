package natsqueue_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
)

func TestDiagnoseOfAMonitoringPort(t *testing.T) {
	t.Parallel()
	for sync, want := range map[string]string{
		"always": "ok sync_interval always, as one server tells: neither a killed server nor a crashed host loses",
		"45s":    "warn sync_interval 45s (n*): a killed server loses nothing; a crashed host loses up to the last 45s",
	} {
		s := natstest.Start(t, "jetstream { store_dir: $DIR, sync_interval: "+sync+" }")
		for _, m := range []string{"http://" + s.Monitor, "http://" + s.Monitor + "/", "http://" + s.Monitor + "/varz"} {
			found(t, s.URL(), map[string]string{"durability": want}, m)
		}
	}
}

// One server of a cluster tells of itself alone.
func TestDiagnoseOfTheMonitoringPortsOfACluster(t *testing.T) {
	t.Parallel()
	c := natstest.StartCluster(t, "jetstream { store_dir: $DIR, sync_interval: always }")
	var all []string
	for _, n := range c.Nodes {
		all = append(all, "http://"+n.Monitor)
	}
	found(t, c.URL()+"?replicas=3", map[string]string{"durability": "unknown sync_interval always, as one server tells; a queue is kept by 3 of the cluster's"}, all[0], all[0])
	found(t, c.URL()+"?replicas=3", map[string]string{"durability": "ok sync_interval always, as 3 servers tell"}, all...)
}

func TestMonitoringPortsThatDoNotTell(t *testing.T) {
	t.Parallel()
	s, other := natstest.Start(t), natstest.Start(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/empty") {
			_, _ = w.Write([]byte("{}"))
			return
		}
		_, _ = w.Write([]byte("<html>"))
	}))
	defer web.Close()
	for monitor, want := range map[string]struct {
		text    string
		passing bool
	}{
		"h:8222":                     {`monitor "h:8222": http://HOST:PORT or https://HOST:PORT is allowed`, false},
		"http://":                    {"is allowed", false},
		"http://u:secret@h":          {"is allowed", false},
		"http://" + s.Monitor + "/x": {"/x/varz: it says 404 Not Found", true},
		"http://127.0.0.1:1":         {"monitor http://127.0.0.1:1/varz: ", true},
		"http://" + other.Monitor:    {": it is of server n", false},
		web.URL:                      {"it is not a nats-server's: ", true},
		web.URL + "/empty":           {"it is not a nats-server's", true},
	} {
		_, err := natsqueue.DiagnoseMonitored(t.Context(), s.URL(), []string{monitor})
		if err == nil || !strings.Contains(err.Error(), want.text) || errors.Is(err, queue.ErrUnavailable) != want.passing || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", monitor, err, want.text)
		}
	}
}
