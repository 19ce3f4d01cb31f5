package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice.dev/queue"
)

// server is what a server says of itself.
type server struct {
	addr   string // of several
	info   string // INFO's reply; "" if the URL's user may not ask
	config map[string]string
	now    time.Time
}

// settings are what CONFIG GET is asked for. A user without dangerous commands
// may not, nor may those of most hosted servers.
var settings = []any{"CONFIG", "GET", "appendfsync", "no-appendfsync-on-rewrite", "save", "min-replicas-to-write", "min-replicas-max-lag"}

func readServer(ctx context.Context, c redis.UniversalClient) (*server, error) {
	info := c.Info(ctx)
	if err := permitted(info.Err()); err != nil {
		return nil, err
	}
	config := redis.NewMapStringStringCmd(ctx, settings...)
	if err := permitted(c.Process(ctx, config)); err != nil {
		return nil, err
	}
	now, err := c.Time(ctx).Result()
	return &server{info: info.Val(), config: config.Val(), now: now}, classify(err)
}

// permitted is nil for what the server has refused to tell.
func permitted(err error) error {
	if _, refused := errors.AsType[redis.Error](err); refused {
		return nil
	}
	return classify(err)
}

// says is a field of INFO.
func (s *server) says(name string) string { return field(s.info, name) }

func (s *server) number(name string) int64 {
	n, _ := strconv.ParseInt(s.says(name), 10, 64)
	return n
}

const untold = "it does not tell the URL's user (INFO is refused): "

func (s *server) identity() (queue.Verdict, string) {
	if s.info == "" {
		return queue.VerdictUnknown, untold + "its version and its age"
	}
	up := time.Duration(s.number("uptime_in_seconds")) * time.Second
	return queue.VerdictOK, fmt.Sprintf("Redis %s, %s, up for %s", s.says("redis_version"), s.says("redis_mode"), up)
}

// durability tells what a killed server or a crashed host forgets.
func (s *server) durability() (queue.Verdict, string) {
	if s.info == "" {
		return queue.VerdictUnknown, untold + "with appendonly no, which is the default, a killed server loses all since its last snapshot"
	}
	if s.says("aof_enabled") != "1" {
		return queue.VerdictFault, s.snapshots()
	}
	sync, told := s.config["appendfsync"]
	switch {
	case !told:
		return queue.VerdictUnknown, "appendonly yes, and appendfsync it does not tell (CONFIG is refused): a killed server loses nothing; a crashed host loses nothing with always, the last second with everysec, often 30 s with no"
	case s.config["no-appendfsync-on-rewrite"] == "yes":
		return queue.VerdictWarn, fmt.Sprintf("appendonly yes, appendfsync %s, but no-appendfsync-on-rewrite yes: while the file is rewritten nothing is synced, and a crashed host loses that: set it to no", sync)
	case sync == "always":
		return queue.VerdictOK, "appendonly yes, appendfsync always: neither a killed server nor a crashed host loses what was acknowledged"
	case sync == "everysec":
		return queue.VerdictWarn, "appendonly yes, appendfsync everysec: a killed server loses nothing; a crashed host loses the last second, 2 s if its disk is slow: set appendfsync always if that is too much"
	}
	return queue.VerdictWarn, fmt.Sprintf("appendonly yes, appendfsync %s: a killed server loses nothing; a crashed host loses what its kernel had not written, often 30 s: set appendfsync everysec or always", sync)
}

// snapshots tells what is lost without an append-only file.
func (s *server) snapshots() string {
	const cure = ": set appendonly yes"
	if save, told := s.config["save"]; told && strings.TrimSpace(save) == "" {
		return "appendonly no, save \"\": nothing is written to disk; a server that is killed or restarted loses every queue" + cure
	}
	age := s.now.Sub(time.Unix(s.number("rdb_last_save_time"), 0)).Round(time.Second)
	return fmt.Sprintf("appendonly no: a killed server or a crashed host loses all since the last snapshot, now %s and %d changes old%s",
		age, s.number("rdb_changes_since_last_save"), cure)
}

// disk tells whether what should be written can be.
func (s *server) disk() (queue.Verdict, string) {
	switch {
	case s.info == "":
		return queue.VerdictUnknown, untold + "whether its last writes to disk went well"
	case s.says("aof_enabled") == "1" && s.says("aof_last_write_status") != "ok":
		return queue.VerdictFault, "the last write to the append-only file has failed: it takes no writes until its disk has room and works"
	case s.says("rdb_last_bgsave_status") != "ok":
		return queue.VerdictFault, "the last snapshot has failed: unless stop-writes-on-bgsave-error is no, it takes no writes until its disk has room and works"
	case s.says("aof_enabled") == "1" && s.says("aof_last_bgrewrite_status") != "ok":
		return queue.VerdictWarn, "the last rewrite of the append-only file has failed: it grows until its disk is full"
	}
	return queue.VerdictOK, "its last writes to disk went well"
}

// memory tells what happens when the memory is full.
func (s *server) memory() (queue.Verdict, string) {
	if s.info == "" {
		return queue.VerdictUnknown, untold + "with a maxmemory-policy of allkeys-... a full memory evicts queues"
	}
	limit, used, policy := s.number("maxmemory"), s.number("used_memory"), s.says("maxmemory_policy")
	has := fmt.Sprintf("%s of %s used, maxmemory-policy %s", size(used), size(limit), policy)
	switch {
	case limit == 0:
		return queue.VerdictOK, fmt.Sprintf("%s used, no maxmemory: the host's memory is the limit, and past it the kernel kills the server", size(used))
	// The other policies evict keys with a time to live, which no queue has.
	case strings.HasPrefix(policy, "allkeys-"):
		return queue.VerdictFault, has + ": once full it evicts whole queues: set noeviction"
	case used > limit/10*9:
		return queue.VerdictWarn, has + ": once full it takes no new items; those that it has go on"
	}
	return queue.VerdictOK, has + ": once full it takes no new items; those that it has go on"
}

// failover tells what a change of the primary would lose.
func (s *server) failover() (queue.Verdict, string) {
	if s.info == "" {
		return queue.VerdictUnknown, untold + "whether it has replicas, and how far behind they are"
	}
	n := s.number("connected_slaves")
	if n == 0 {
		return queue.VerdictOK, "no replica: nothing fails over; while the server is away its queues stand still"
	}
	behind, broken := int64(0), 0
	for i := range n {
		r := replica(s.says(fmt.Sprintf("slave%d", i)))
		offset, _ := strconv.ParseInt(r["offset"], 10, 64)
		behind = max(behind, s.number("master_repl_offset")-offset)
		if r["state"] != "online" {
			broken++
		}
	}
	has := fmt.Sprintf("replicas: %d, the furthest is %s behind", n, size(behind))
	const loses = "a failover loses what the replica had not received"
	need, told := s.config["min-replicas-to-write"]
	switch {
	case broken > 0:
		return queue.VerdictWarn, fmt.Sprintf("%s, %d not in step: %s", has, broken, loses)
	case !told:
		return queue.VerdictUnknown, has + ": " + loses + "; min-replicas-to-write, which bounds it, it does not tell (CONFIG is refused)"
	case need == "0":
		return queue.VerdictWarn, has + ": " + loses + ", and a primary that is cut off goes on taking what is then lost: set min-replicas-to-write 1"
	}
	return queue.VerdictOK, fmt.Sprintf("%s; min-replicas-to-write %s: %s, at the most the last %s s", has, need, loses, s.config["min-replicas-max-lag"])
}

// replica reads INFO's ip=...,port=...,state=online,offset=1,lag=0.
func replica(text string) map[string]string {
	out := make(map[string]string)
	for pair := range strings.SplitSeq(text, ",") {
		k, v, _ := strings.Cut(pair, "=")
		out[k] = v
	}
	return out
}

// size is a number of bytes as a person says it.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/unit, 0
	for v >= unit && i < 3 {
		v, i = v/unit, i+1
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGT"[i])
}
