package redisqueue

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"sluice.dev/internal/redistest"
)

// feature is what may be left out of the scripts, or asked of them.
type feature struct {
	name    string
	cut     []string // of a script: old, new, old, new: without it the queue does less than it must
	digest  string
	outputs bool
}

var features = []feature{
	{name: "everything"},
	{name: "kept replies", cut: []string{
		"local kept = call('HGET', P .. 'k', worker)", "local kept = '0 0 0 0 '",
		"call('HSET', P .. 'k', worker, ARGV[2]", "local _ = ({ARGV[2]",
		"worker .. REFS, join(granted, BETWEEN))", "1})",
	}},
	{name: "batches", cut: []string{
		"call('HINCRBY', P .. 'b:' .. b, state, n)", "",
		"call('HINCRBY', P .. 'oc:' .. bucket, b, k)", "",
		"call('HMGET', P .. 'b:' .. b, 'name', 'sealed', 'suspended', 'waits', 'void', 'followed')", "{''}",
	}},
	{name: "digests", digest: "d", cut: []string{"#digest == 16", "#digest == 1", "#digest ~= 16", "#digest ~= 1"}},
	{name: "outputs: each item has one", outputs: true},
}

// without is a script's source with parts replaced. Each part is in one of the
// scripts at least, which the caller sees to.
func (f feature) without(name string, found map[string]bool) *redis.Script {
	text := assemble(name)
	for pair := range slices.Chunk(f.cut, 2) {
		if strings.Contains(text, pair[0]) {
			found[pair[0]] = true
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	return redis.NewScript(text)
}

// stand measures one feature on a queue of its own.
type stand struct {
	testing.TB
	rdb               *redis.Client
	f                 feature
	prefix            string
	enqueue, exchange *redis.Script
	last, seq         int
	refs              []string
	took              map[string][]float64 // microseconds of a call, by what was done
}

func newStand(tb testing.TB, rdb *redis.Client, f feature) *stand {
	found := map[string]bool{}
	s := &stand{TB: tb, rdb: rdb, f: f, prefix: "cost:{" + f.name + "}:", took: map[string][]float64{}}
	s.enqueue, s.exchange = f.without("enqueue", found), f.without("exchange", found)
	if len(found) != len(f.cut)/2 {
		tb.Fatalf("%s: %d of %d parts are in the scripts", f.name, len(found), len(f.cut)/2)
	}
	return s
}

func (s *stand) call(script *redis.Script, args ...any) any {
	v, err := script.Run(context.Background(), s.rdb, []string{s.prefix}, args...).Result()
	if err != nil {
		s.Fatalf("%s: %v", s.f.name, err)
	}
	return v
}

func (s *stand) output(id string) string {
	if s.f.outputs {
		return "out/frames/" + id + ".png"
	}
	return ""
}

// add enqueues n items in one call.
func (s *stand) add(n int) {
	digest := "0123456789abcdef"
	if s.f.digest != "" {
		digest = s.f.digest
	}
	var args []any
	for range n {
		s.last++
		id := strconv.Itoa(1e9 + s.last)
		args = append(args, id, digest, 5, 0, "", s.output(id), strings.Repeat("p", 200))
	}
	if out, _ := s.call(s.enqueue, args...).([]any); len(out) != n || out[0] != int64(1) {
		s.Fatalf("%s: the outcomes are %v", s.f.name, out)
	}
}

// work acks what refs hold and claims some, in one call.
func (s *stand) work(refs []string, claim int) []string {
	s.seq++
	args := []any{"worker-1", s.seq, claim, len(refs), 0}
	for _, ref := range refs {
		args = append(args, ref)
	}
	if s.f.outputs {
		args[4] = len(refs)
		for i, ref := range refs {
			args = append(args, i+1, "", s.output(ref[strings.LastIndexByte(ref, ':')+1:]))
		}
	}
	reply, _ := s.call(s.exchange, args...).([]any)
	if len(reply) != 6 {
		s.Fatalf("%s: a reply of %d fields", s.f.name, len(reply))
	}
	if settled := text(reply[0]); settled != strings.Repeat("1", len(refs)) {
		s.Fatalf("%s: settled are %q of %d", s.f.name, settled, len(refs))
	}
	leases, _ := reply[5].([]any)
	var got []string
	for i := 0; i < len(leases); i += 3 {
		got = append(got, text(leases[i]))
	}
	if len(got) != claim {
		s.Fatalf("%s: %d leases, want %d", s.f.name, len(got), claim)
	}
	return got
}

// round does everything with n items a call, the stands in turns, and notes
// from the server's slow log how long each call took.
func round(tb testing.TB, rdb *redis.Client, stands []*stand, n int) {
	const calls = 10
	for _, s := range stands {
		s.add(n)
		s.refs = s.work(nil, n)
	}
	for _, step := range []struct {
		verb string
		do   func(s *stand)
	}{
		{"enqueue", func(s *stand) { s.add(n) }},
		{"exchange", func(s *stand) { s.refs = s.work(s.refs, n) }},
	} {
		if err := rdb.Do(context.Background(), "SLOWLOG", "RESET").Err(); err != nil {
			tb.Fatal(err)
		}
		for range calls {
			for _, s := range stands {
				step.do(s)
			}
		}
		note(tb, rdb, stands, fmt.Sprint(step.verb, " ", n))
	}
	for _, s := range stands {
		s.commit()
		s.work(s.refs, 0)
	}
	note(tb, rdb, stands, "")
}

// note reads the slow log.
func note(tb testing.TB, rdb *redis.Client, stands []*stand, what string) {
	log, err := rdb.SlowLogGet(context.Background(), -1).Result()
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range log {
		if len(e.Args) < 4 || e.Args[0] != "evalsha" {
			continue
		}
		for _, s := range stands {
			if e.Args[3] != s.prefix {
				continue
			}
			name := what
			if e.Args[1] == commitScript.Hash() {
				name = "commit"
			}
			s.took[name] = append(s.took[name], float64(e.Duration.Microseconds()))
		}
	}
}

// commit decides what one of the leased items publishes.
func (s *stand) commit() {
	if v := s.call(commitScript, s.refs[0], strings.Repeat("r", 100)); v != int64(1) {
		s.Fatalf("commit: %v", v)
	}
}

const few, many = 1, 101

// cost is what a call costs, and each item in it, in microseconds.
func (s *stand) cost(verb string) (call, item float64) {
	low, high := middle(s.took[fmt.Sprint(verb, " ", few)]), middle(s.took[fmt.Sprint(verb, " ", many)])
	item = (high - low) / (many - few)
	return low - few*item, item
}

// middle is the mean of the quarter around the median: the log counts whole
// microseconds.
func middle(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	around := sorted[len(sorted)*3/8 : len(sorted)*5/8+1]
	var sum float64
	for _, v := range around {
		sum += v
	}
	return sum / float64(len(around))
}

// BenchmarkFeatureCost is what each feature of the queue costs the server, in
// microseconds a call and an item: the same calls with the feature and without,
// in turns. The table that it logs is the one in docs/costs.md.
func BenchmarkFeatureCost(b *testing.B) {
	server := redistest.Start(b, "--slowlog-log-slower-than", "0", "--slowlog-max-len", "100000")
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer func() { _ = rdb.Close() }()
	stands := make([]*stand, len(features))
	for i, f := range features {
		stands[i] = newStand(b, rdb, f)
	}
	round(b, rdb, stands, many) // the server learns the scripts
	for _, s := range stands {
		clear(s.took)
	}
	for b.Loop() {
		round(b, rdb, stands, few)
		round(b, rdb, stands, many)
	}
	b.ReportMetric(0, "ns/op") // of a round, which says nothing

	all := stands[0]
	rows := []string{"", "| | enqueue, a call | an item | exchange, a call | an item |", "|---|---|---|---|---|"}
	for i, s := range stands {
		row := "| " + s.f.name
		for _, verb := range []string{"enqueue", "exchange"} {
			call, item := s.cost(verb)
			if i > 0 {
				c, i := all.cost(verb)
				call, item = c-call, i-item // what is left out costs what is missing
			}
			if s.f.outputs {
				call, item = -call, -item // and what is asked for, what is more
			}
			row += fmt.Sprintf(" | %.1f | %.2f", call, item)
		}
		rows = append(rows, row+" |")
	}
	b.Log(strings.Join(rows, "\n"))
	b.ReportMetric(middle(all.took["commit"]), "us/commit")
}
