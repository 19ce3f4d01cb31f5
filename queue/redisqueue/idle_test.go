package redisqueue_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
)

// Ten idle workers and a watcher ask less than 200 times a minute, together.
func TestIdleIsQuiet(t *testing.T) {
	t.Parallel()
	const workers, window, perMinute = 10, 20 * time.Second, 200
	server := redistest.Start(t)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	for i := range workers {
		s := queue.New(open(t, server.URL(), "q")).Session(fmt.Sprint("w", i))
		wg.Go(func() {
			for ctx.Err() == nil {
				if r, err := s.Exchange(ctx, nil, 1); err == nil {
					_ = s.Wait(ctx, r.Next) // its end is seen above
				}
			}
		})
	}
	d := open(t, server.URL(), "q")
	wg.Go(func() {
		for ctx.Err() == nil {
			_ = d.Watch(ctx, 30*time.Second)
		}
	})
	blocked(t, server.Addr, workers)
	before := calls(t, server.Addr)
	<-time.After(window)
	n := calls(t, server.Addr) - before
	t.Logf("%d calls in %s", n, window)
	if limit := int(perMinute * window / time.Minute); n > limit {
		t.Errorf("%d calls in %s, at most %d are allowed", n, window, limit)
	}
	if n == 0 {
		t.Error("no call in all that time: nobody looks for a lost ring")
	}
}

// info is a section of what a server tells of itself.
func info(t testing.TB, addr, section string) string {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = rdb.Close() }()
	text, err := rdb.Info(t.Context(), section).Result()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var callStat = regexp.MustCompile(`cmdstat_(\w+)[^:]*:calls=(\d+)`)

// calls is how many calls clients have made of a server, but those of info.
// What a script calls in its turn does not count.
func calls(t testing.TB, addr string) int {
	t.Helper()
	total := 0
	for _, m := range callStat.FindAllStringSubmatch(info(t, addr, "commandstats"), -1) {
		if slices.Contains([]string{"eval", "evalsha", "blpop", "exists", "ping", "subscribe"}, m[1]) {
			n, err := strconv.Atoi(m[2])
			if err != nil {
				t.Fatal(err)
			}
			total += n
		}
	}
	return total
}

// blocked waits until n clients of a server wait for a ring.
func blocked(t testing.TB, addr string, n int) {
	t.Helper()
	limit := time.Now().Add(10 * time.Second)
	for !strings.Contains(info(t, addr, "clients"), fmt.Sprintf("blocked_clients:%d\r", n)) {
		if time.Now().After(limit) {
			t.Fatalf("not %d clients wait: %s", n, info(t, addr, "clients"))
		}
	}
}
