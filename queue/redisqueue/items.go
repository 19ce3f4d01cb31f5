package redisqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice.dev/queue"
)

// Items implements queue.Inspector. It reads in several steps: an item that
// moves meanwhile may be listed twice or not at all.
func (d *Driver) Items(ctx context.Context, q queue.Query) ([]queue.Record, error) {
	if _, err := d.Depth(ctx); err != nil {
		return nil, err
	}
	states := q.States
	if states == nil {
		states = []queue.State{queue.Blocked, queue.Delayed, queue.Ready, queue.Leased, queue.Dead, queue.Cancelled}
	}
	if q.ID != "" {
		states = queue.States
	}
	l := lister{d: d, q: q, names: map[string]string{}, stands: map[string]queue.State{}}
	if err := l.batches(ctx); err != nil {
		return nil, err
	}
	for _, s := range queue.States {
		if !slices.Contains(states, s) || l.full() {
			continue
		}
		if err := l.list(ctx, s); err != nil {
			return nil, err
		}
	}
	return l.out, nil
}

// lister collects records.
type lister struct {
	d       *Driver
	q       queue.Query
	serials []string
	names   map[string]string      // of batches, by serial
	stands  map[string]queue.State // what an item in a list of the batch is
	out     []queue.Record
}

func (l *lister) full() bool { return l.q.Limit > 0 && len(l.out) >= l.q.Limit }

func (l *lister) batches(ctx context.Context) error {
	all, err := l.d.rdb.HGetAll(ctx, l.d.prefix+"bn").Result()
	if err != nil {
		return classify(err)
	}
	for name, s := range all {
		l.names[s] = name
	}
	if l.serials, err = l.d.serials(ctx); err != nil {
		return err
	}
	for _, b := range l.serials {
		flags, err := l.d.rdb.HMGet(ctx, l.d.prefix+"b:"+b, "waits", "void").Result()
		if err != nil {
			return classify(err)
		}
		l.stands[b] = queue.Ready
		if flags[0] == "1" {
			l.stands[b] = queue.Blocked
		}
		if flags[1] == "1" {
			l.stands[b] = queue.Cancelled
		}
	}
	return nil
}

func (l *lister) list(ctx context.Context, s queue.State) error {
	switch s {
	case queue.Delayed:
		return l.delayed(ctx, s)
	case queue.Ready, queue.Blocked:
		return l.listed(ctx, s)
	case queue.Leased:
		return l.leased(ctx)
	case queue.Done:
		return l.done(ctx)
	case queue.Dead:
		return l.dead(ctx)
	}
	return l.cancelled(ctx)
}

// page is how many entries one command reads.
const page = 500

// delayed lists what waits for its time as delayed, or as cancelled where its
// batch is.
func (l *lister) delayed(ctx context.Context, s queue.State) error {
	now, err := l.d.now(ctx)
	if err != nil {
		return err
	}
	for from := int64(0); !l.full(); from += page {
		zs, err := l.d.rdb.ZRangeWithScores(ctx, l.d.prefix+"d", from, from+page-1).Result()
		if err != nil || len(zs) == 0 {
			return classify(err)
		}
		recs := make([]queue.Record, 0, len(zs))
		for _, z := range zs {
			f := strings.SplitN(text(z.Member), ":", 4) // priority:batch:list:id
			if len(f) == 4 && l.stands[f[1]] != "" && (l.stands[f[1]] == queue.Cancelled) == (s == queue.Cancelled) {
				recs = append(recs, queue.Record{State: s, Item: queue.Item{ID: f[3], Batch: l.names[f[1]]},
					Due: time.UnixMicro(int64(z.Score)).Sub(now)})
			}
		}
		if err := l.add(ctx, recs); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) listed(ctx context.Context, s queue.State) error {
	for p := queue.MaxPriority; p >= 0; p-- {
		for _, kind := range []string{"f", "r"} {
			for _, b := range l.serials {
				if l.stands[b] != s {
					continue
				}
				if err := l.ready(ctx, s, fmt.Sprintf("%s:%d:%s", kind, p, b), l.names[b]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (l *lister) ready(ctx context.Context, s queue.State, key, batch string) error {
	for from := int64(0); !l.full(); from += page {
		ids, err := l.d.rdb.LRange(ctx, l.d.prefix+key, from, from+page-1).Result()
		if err != nil || len(ids) == 0 {
			return classify(err)
		}
		recs := make([]queue.Record, len(ids))
		for i, id := range ids {
			recs[i] = queue.Record{State: s, Item: queue.Item{ID: id, Batch: batch}}
		}
		if err := l.add(ctx, recs); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) leased(ctx context.Context) error {
	now, err := l.d.now(ctx)
	if err != nil {
		return err
	}
	zs, err := l.d.rdb.ZRangeWithScores(ctx, l.d.prefix+"l", 0, -1).Result()
	if err != nil {
		return classify(err)
	}
	var recs []queue.Record
	for _, z := range zs {
		f := strings.SplitN(text(z.Member), ":", 7)
		if len(f) != 7 {
			continue
		}
		token, _ := strconv.ParseUint(f[0], 10, 64)
		recs = append(recs, queue.Record{State: queue.Leased, Item: queue.Item{ID: f[6], Batch: l.names[f[4]]},
			Token: token, Worker: f[2], Due: time.UnixMicro(int64(z.Score)).Sub(now)})
	}
	return l.add(ctx, recs)
}

func (l *lister) dead(ctx context.Context) error {
	return l.scan(ctx, "x", func(id, v string) (queue.Record, bool) {
		b, _, _ := strings.Cut(v, ":")
		name, known := l.names[b]
		return queue.Record{State: queue.Dead, Item: queue.Item{ID: id, Batch: name}}, known
	})
}

// cancelled lists what was cancelled singly, then what cancelled batches held.
func (l *lister) cancelled(ctx context.Context) error {
	err := l.scan(ctx, "z", func(id, b string) (queue.Record, bool) {
		name, known := l.names[b]
		return queue.Record{State: queue.Cancelled, Item: queue.Item{ID: id, Batch: name}}, known
	})
	if err != nil {
		return err
	}
	if err := l.delayed(ctx, queue.Cancelled); err != nil {
		return err
	}
	return l.listed(ctx, queue.Cancelled)
}

func (l *lister) done(ctx context.Context) error {
	buckets, err := l.d.rdb.ZRange(ctx, l.d.prefix+"ob", 0, -1).Result()
	if err != nil {
		return classify(err)
	}
	for _, o := range buckets {
		err := l.scan(ctx, "o:"+o, func(id, v string) (queue.Record, bool) {
			f := strings.SplitN(v, ":", 4) // digest:batch:attempts.releases:result
			if len(f) != 4 {
				return queue.Record{}, false
			}
			if _, known := l.names[f[1]]; !known {
				return queue.Record{}, false
			}
			r := queue.Record{State: queue.Done, Item: queue.Item{ID: id, Batch: l.names[f[1]]}}
			r.Attempts, r.Releases = tries(f[2])
			r.Attempts++ // the ack
			if f[3] != "" {
				r.Result = []byte(f[3])
			}
			return r, true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tries reads attempts.releases.
func tries(text string) (attempts, releases int) {
	a, r, _ := strings.Cut(text, ".")
	attempts, _ = strconv.Atoi(a)
	releases, _ = strconv.Atoi(r)
	return attempts, releases
}

// scan adds a record for each field of a hash, once even where the server's
// cursor gives it twice.
func (l *lister) scan(ctx context.Context, key string, record func(id, v string) (queue.Record, bool)) error {
	if l.q.ID != "" {
		v, err := l.d.rdb.HGet(ctx, l.d.prefix+key, l.q.ID).Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		if err != nil {
			return classify(err)
		}
		if r, ok := record(l.q.ID, v); ok {
			return l.add(ctx, []queue.Record{r})
		}
		return nil
	}
	seen := map[string]bool{}
	var cursor uint64
	for !l.full() {
		kv, next, err := l.d.rdb.HScan(ctx, l.d.prefix+key, cursor, "", page).Result()
		if err != nil {
			return classify(err)
		}
		var recs []queue.Record
		for i := 0; i+1 < len(kv); i += 2 {
			if r, ok := record(kv[i], kv[i+1]); ok && !seen[kv[i]] {
				seen[kv[i]] = true
				recs = append(recs, r)
			}
		}
		if err := l.add(ctx, recs); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	return nil
}

// add keeps the records that the query asks for, with payloads and failures.
func (l *lister) add(ctx context.Context, recs []queue.Record) error {
	recs = slices.DeleteFunc(recs, func(r queue.Record) bool {
		return l.q.ID != "" && r.Item.ID != l.q.ID || l.q.Batch != "" && r.Item.Batch != l.q.Batch
	})
	if l.q.Limit > 0 && len(l.out)+len(recs) > l.q.Limit {
		recs = recs[:l.q.Limit-len(l.out)]
	}
	if len(recs) == 0 {
		return nil
	}
	ids := make([]string, len(recs))
	for i, r := range recs {
		ids[i] = r.Item.ID
	}
	pipe := l.d.rdb.Pipeline()
	records := pipe.HMGet(ctx, l.d.prefix+"p", ids...)
	counted := pipe.HMGet(ctx, l.d.prefix+"n", ids...)
	failures := pipe.HMGet(ctx, l.d.prefix+"h", ids...)
	if _, err := pipe.Exec(ctx); err != nil {
		return classify(err)
	}
	for i := range recs {
		r := &recs[i]
		if it, err := parseRecord(text(records.Val()[i])); err == nil {
			r.Item.Payload, r.Item.Priority, r.Item.Output = it.Payload, it.Priority, it.Output
		}
		if r.State != queue.Done {
			r.Attempts, r.Releases = tries(text(counted.Val()[i]))
		}
		for line := range strings.Lines(text(failures.Val()[i])) {
			var f queue.Failure
			if json.Unmarshal([]byte(line), &f) == nil {
				r.Failures = append(r.Failures, f)
			}
		}
	}
	l.out = append(l.out, recs...)
	return nil
}
