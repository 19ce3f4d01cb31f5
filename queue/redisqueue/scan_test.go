package redisqueue_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"sluice.dev/queue"
)

// scan counts a queue by walking the keys of its store, and not by the counts
// that the store keeps.
type scan struct {
	*testing.T
	rdb    *redis.Client
	prefix string
	names  map[string]string // of batches, by serial
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// checkDepth wants the depth and the batches to be what a scan finds. Time
// goes on meanwhile, so that it looks until two depths agree around a scan.
func checkDepth(t *testing.T, d queue.Inspector, addr string) queue.Depth {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = rdb.Close() }()
	ctx := t.Context()
	for range 200 {
		before, err := d.Depth(ctx)
		must(t, before, err)
		infos, err := d.Batches(ctx)
		must(t, infos, err)
		found := (&scan{T: t, rdb: rdb, prefix: "sluice:{q}:"}).batches()
		after, err := d.Depth(ctx)
		if must(t, after, err); counts(after) != counts(before) {
			continue
		}
		var sum queue.Depth
		for _, b := range infos {
			if got := counts(b.Depth); got != found[b.Name] {
				t.Errorf("batch %q has %+v, a scan finds %+v", b.Name, got, found[b.Name])
			}
			add(&sum, b.Depth)
		}
		if counts(sum) != counts(before) {
			t.Errorf("the depth is %+v, its batches have %+v", counts(before), counts(sum))
		}
		return before
	}
	t.Fatal("the depth does not come to rest")
	return queue.Depth{}
}

// counts is a depth without the field that time alone changes.
func counts(d queue.Depth) queue.Depth {
	d.NextDue = 0
	return d
}

func add(sum *queue.Depth, d queue.Depth) {
	sum.Blocked += d.Blocked
	sum.Delayed += d.Delayed
	sum.Ready += d.Ready
	sum.Leased += d.Leased
	sum.Done += d.Done
	sum.Dead += d.Dead
	sum.Cancelled += d.Cancelled
	sum.Held += d.Held
	sum.Paused = sum.Paused || d.Paused
}

// batches counts the items of each batch by where their entries stand.
func (s *scan) batches() map[string]queue.Depth {
	s.names = map[string]string{}
	found := map[string]queue.Depth{}
	paused := s.rdb.HGet(s.Context(), s.prefix+"y", "paused").Val() == "1"
	kept := 0
	serials := s.rdb.HGetAll(s.Context(), s.prefix+"bn").Val()
	for name, b := range serials {
		s.names[b] = name
	}
	for name, b := range serials {
		flags := s.rdb.HGetAll(s.Context(), s.prefix+"b:"+b).Val()
		d := queue.Depth{Paused: paused}
		listed := s.listed(b)
		delayed := s.members("d", b, 1)
		switch {
		case flags["void"] == "1":
			d.Cancelled = listed + delayed
		case flags["waits"] == "1":
			d.Blocked, d.Delayed = listed, delayed
		default:
			d.Ready, d.Delayed = listed, delayed
			if paused || flags["suspended"] == "1" {
				d.Held = listed
			}
		}
		d.Leased = s.members("l", b, 4)
		d.Dead = s.fields("x", b, 0)
		d.Cancelled += s.fields("z", b, 0)
		kept += int(d.Unfinished() + d.Dead + d.Cancelled)
		for _, bucket := range s.rdb.ZRange(s.Context(), s.prefix+"ob", 0, -1).Val() {
			d.Done += s.fields("o:"+bucket, b, 1)
		}
		found[name] = d
	}
	records := 0
	for b := range s.names {
		records += int(s.fields("p", b, 2))
	}
	if records != kept {
		s.Errorf("%d records are kept for %d entries", records, kept)
	}
	return found
}

func (s *scan) listed(b string) (n int64) {
	for p := 1; p <= queue.MaxPriority; p++ {
		for _, kind := range []string{"f", "r"} {
			n += s.rdb.LLen(s.Context(), fmt.Sprintf("%s%s:%d:%s", s.prefix, kind, p, b)).Val()
		}
	}
	return n
}

// members counts the members of a sorted set whose nth part is a batch.
func (s *scan) members(key, b string, nth int) (n int64) {
	for _, m := range s.rdb.ZRange(s.Context(), s.prefix+key, 0, -1).Val() {
		if strings.Split(m, ":")[nth] == b {
			n++
		}
	}
	return n
}

// fields counts the fields of a hash whose value has a batch as its nth part.
func (s *scan) fields(key, b string, nth int) (n int64) {
	for _, v := range s.rdb.HGetAll(s.Context(), s.prefix+key).Val() {
		if strings.Split(v, ":")[nth] == b {
			n++
		}
	}
	return n
}
