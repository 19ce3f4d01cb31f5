package redisqueue_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
	"sluice.dev/queue/redisqueue"
)

// diagnosed is the findings by check, as "verdict detail".
func diagnosed(t *testing.T, url string) map[string]string {
	t.Helper()
	list, err := redisqueue.Diagnose(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string, len(list))
	for _, f := range list {
		if _, twice := out[f.Check]; twice || f.Detail == "" || strings.Contains(f.Detail, "\n") {
			t.Errorf("finding %+v: twice, empty or of several lines", f)
		}
		out[f.Check] = string(f.Verdict) + " " + f.Detail
	}
	return out
}

// found checks that each finding begins with what is wanted, where * stands for
// anything.
func found(t *testing.T, url string, want map[string]string) {
	t.Helper()
	got := diagnosed(t, url)
	for check, begin := range want {
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(begin), `\*`, ".*")
		if !regexp.MustCompile(pattern).MatchString(got[check]) {
			t.Errorf("%s: %q, want %q...", check, got[check], begin)
		}
	}
}

func TestDiagnoseTellsWhatIsLostWhen(t *testing.T) {
	for name, test := range map[string]struct {
		options []string
		want    map[string]string
	}{
		"always": {[]string{"--appendonly", "yes", "--appendfsync", "always"}, map[string]string{
			"scripts":    "ok it runs the scripts that keep a queue",
			"server":     "ok Redis ",
			"durability": "ok appendonly yes, appendfsync always: neither a killed server nor a crashed host loses",
			"disk":       "ok ",
			"memory":     "ok ",
			"failover":   "ok no replica: nothing fails over",
			"clock":      "ok the store's clock differs from this machine's by ",
			"latency":    "ok a round trip takes ",
		}},
		"everysec":          {[]string{"--appendonly", "yes", "--appendfsync", "everysec"}, map[string]string{"durability": "warn appendonly yes, appendfsync everysec: a killed server loses nothing; a crashed host loses the last second"}},
		"no sync":           {[]string{"--appendonly", "yes", "--appendfsync", "no"}, map[string]string{"durability": "warn appendonly yes, appendfsync no: a killed server loses nothing; a crashed host loses what its kernel"}},
		"no sync meanwhile": {[]string{"--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "yes"}, map[string]string{"durability": "warn appendonly yes, appendfsync always, but no-appendfsync-on-rewrite yes"}},
		"nothing":           {nil, map[string]string{"durability": `fault appendonly no, save "": nothing is written to disk`}},
		"snapshots":         {[]string{"--save", "3600 1"}, map[string]string{"durability": "fault appendonly no: a killed server or a crashed host loses all since the last snapshot, now *s and 0 changes old: set appendonly yes"}},
		"evicts":            {[]string{"--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru"}, map[string]string{"memory": "fault "}},
		"evicts no queue":   {[]string{"--maxmemory", "1gb", "--maxmemory-policy", "volatile-lru"}, map[string]string{"memory": "ok "}},
		"nearly full":       {[]string{"--maxmemory", "1mb", "--maxmemory-policy", "noeviction"}, map[string]string{"memory": "warn "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found(t, redistest.Start(t, test.options...).URL(), test.want)
		})
	}
}

func TestDiagnoseOfFailovers(t *testing.T) {
	w := redistest.StartWatched(t)
	found(t, w.URL(), map[string]string{"failover": "warn replicas: 1, the furthest is * behind: a failover loses what the replica had not received, and a primary that is cut off"})
	c := redis.NewClient(&redis.Options{Addr: w.Primary.Addr})
	defer c.Close()
	if err := c.ConfigSet(t.Context(), "min-replicas-to-write", "1").Err(); err != nil {
		t.Fatal(err)
	}
	found(t, w.URL(), map[string]string{"failover": "ok replicas: 1, the furthest is * behind; min-replicas-to-write 1: a failover loses what the replica had not received, at the most the last 10 s"})
}

func TestDiagnoseOfAClusterTellsTheWorst(t *testing.T) {
	cluster := redistest.StartCluster(t, "--appendonly", "yes", "--appendfsync", "always")
	odd := cluster.Nodes[1].Addr
	c := redis.NewClient(&redis.Options{Addr: odd})
	defer c.Close()
	if err := c.ConfigSet(t.Context(), "appendfsync", "no").Err(); err != nil {
		t.Fatal(err)
	}
	got := diagnosed(t, cluster.URL())
	if f := got["durability"]; !strings.HasPrefix(f, fmt.Sprintf("warn %s: appendonly yes, appendfsync no", odd)) || !strings.HasSuffix(f, "; 1 of 3 primaries: warn") {
		t.Errorf("durability: %s", f)
	}
	if f := got["cluster"]; f != "ok 3 nodes keep 16384 of 16384 slots; all keys of a queue are in one of them" {
		t.Errorf("cluster: %s", f)
	}
}

func TestDiagnoseSaysWhatItMayNotKnow(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	user(t, s, "kept", "~sluice:*", "&sluice:*", "+@all", "-@dangerous")
	user(t, s, "half", "~sluice:*", "&sluice:*", "+@all", "-@dangerous", "+info")
	user(t, s, "mute", "~sluice:*", "&sluice:*", "+@all", "-@scripting")
	found(t, "redis://kept:guess@"+s.Addr, map[string]string{
		"scripts":    "ok ",
		"server":     "unknown it does not tell the URL's user (INFO is refused)",
		"durability": "unknown it does not tell the URL's user",
		"memory":     "unknown ",
		"failover":   "unknown ",
		"clock":      "ok ",
	})
	found(t, "redis://half:guess@"+s.Addr, map[string]string{
		"server":     "ok ",
		"durability": "unknown appendonly yes, and appendfsync it does not tell (CONFIG is refused)",
		"memory":     "ok ",
	})
	found(t, "redis://mute:guess@"+s.Addr, map[string]string{"scripts": "fault the URL's user may not do this"})
}

func TestDiagnoseLeavesNothingBehind(t *testing.T) {
	s := redistest.Start(t)
	diagnosed(t, s.URL())
	c := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer c.Close()
	if n, err := c.DBSize(t.Context()).Result(); err != nil || n != 0 {
		t.Errorf("%d keys, %v", n, err)
	}
}

func TestDiagnoseOfNobody(t *testing.T) {
	if _, err := redisqueue.Diagnose(t.Context(), "redis://127.0.0.1:1"); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := redisqueue.Diagnose(ctx, redistest.Start(t).URL()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v of a call that was cancelled", err)
	}
}
