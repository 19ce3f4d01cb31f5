package redisqueue

import (
	"embed"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"sluice.dev/queue"
)

//go:embed lua/*.lua
var sources embed.FS

// The scripts. Each runs whole or not at all, in one round trip, whatever the
// number of items.
var (
	enqueueScript  = script("enqueue")
	exchangeScript = script("exchange")
	extendScript   = script("extend")
	commitScript   = script("commit")
	expireScript   = script("expire")
	leaveScript    = script("leave")
	depthScript    = script("depth")
	policyScript   = script("policy")
	batchScript    = script("batch")
	changeScript   = script("change")
	pauseScript    = script("pause")
	reclaimScript  = script("reclaim")
)

func script(name string) *redis.Script { return redis.NewScript(assemble(name)) }

// assemble puts a script together: the policy's defaults, what all scripts
// share, and its own file.
func assemble(name string) string {
	p := queue.DefaultPolicy()
	defaults := fmt.Sprintf("local LEASE, BACKOFF_LIMIT, RETRY_DELAY, RETRY_DELAY_MAX, DISRUPTION_LIMIT, RETENTION = %d, %d, %d, %d, %d, %d\n",
		p.Lease.Microseconds(), *p.BackoffLimit, p.RetryDelay.Microseconds(), p.RetryDelayMax.Microseconds(),
		*p.DisruptionLimit, p.Retention.Microseconds())
	return defaults + source("lib") + source("items") + source("batches") + source("clock") + source(name)
}

// source is a file without its comments, which every call of an embedded
// store would otherwise hash.
func source(name string) string {
	b, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic("redisqueue: " + err.Error()) // embedded: cannot fail in a program that was built
	}
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(strings.TrimLeft(line, " "), "--") {
			out.WriteString(line)
		}
	}
	return out.String()
}
