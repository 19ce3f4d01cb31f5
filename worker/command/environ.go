package command

import (
	"slices"
	"strconv"
	"strings"

	"sluice.dev/internal/payload"
	"sluice.dev/worker"
)

// The environment that every item's command finds.
const (
	envItemID   = "SLUICE_ITEM_ID"
	envAttempt  = "SLUICE_ATTEMPT"          // 1 for the first
	envToken    = "SLUICE_TOKEN"            // grows with every lease of the item
	envSlot     = "SLUICE_SLOT"             // 1 to the worker's concurrency
	envWorker   = "SLUICE_WORKER"           // also the mark by which leftover processes are found
	envDeadline = "SLUICE_DEADLINE_SECONDS" // how long the command may run; absent without a limit
)

var ownNames = []string{envItemID, envAttempt, envToken, envSlot, envWorker, envDeadline}

// baseEnv is the part of the environment that all items share: inherited with
// the names in add replaced, and without the names in unset.
func baseEnv(inherited []string, o Options) []string {
	drop := make(map[string]bool)
	for _, name := range ownNames {
		drop[name] = true
	}
	for _, name := range o.Unset {
		drop[name] = true
	}
	var env []string
	// From the back, since the last entry of a name is the one that counts.
	for _, kv := range slices.Backward(slices.Concat(inherited, o.Env)) {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || drop[name] || strings.HasPrefix(name, payload.ArgPrefix) {
			continue
		}
		drop[name] = true
		env = append(env, kv)
	}
	slices.Reverse(env)
	if o.ItemDeadline > 0 {
		env = append(env, envDeadline+"="+strconv.FormatFloat(o.ItemDeadline.Seconds(), 'f', -1, 64))
	}
	return slices.Clip(env) // so that each item's append copies
}

// environ is the environment of one attempt at an item with these fields.
func (h *Handler) environ(a *worker.Attempt, p payload.Payload) []string {
	return append(append(h.env, p.Environ()...),
		envItemID+"="+a.Item.ID,
		envAttempt+"="+strconv.Itoa(a.Attempt),
		envToken+"="+strconv.FormatUint(a.Token, 10),
		envSlot+"="+strconv.Itoa(a.Slot),
		envWorker+"="+a.Worker,
	)
}
