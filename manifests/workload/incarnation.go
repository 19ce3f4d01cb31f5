package workload

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Incarnation is one start of a worker whose container is started again, in the
// same pod, whenever it has ended. All of them are given the same id, and add a
// number by which the store and the coordinator can tell them apart: the higher
// one started later.
type Incarnation struct {
	ID     string // that they were given
	Number int64
}

func (i Incarnation) String() string { return fmt.Sprintf("%s.%d", i.ID, i.Number) }

// NextIncarnation is the one that starts now, where the store knows these
// workers. Its number is higher than theirs, as a fencing token is than those
// before it: the clock only stands in for what the store has forgotten.
func NextIncarnation(id string, known []string, now time.Time) Incarnation {
	next := Incarnation{id, now.UnixMicro()}
	for _, worker := range known {
		if i, ok := IncarnationOf(worker); ok && i.ID == id {
			next.Number = max(next.Number, i.Number+1)
		}
	}
	return next
}

// IncarnationOf is the one that a worker of the store is, if it is any: its id
// has the number of the queue after it.
func IncarnationOf(worker string) (Incarnation, bool) {
	at := strings.LastIndexByte(worker, '-')
	if at < 0 {
		return Incarnation{}, false
	}
	return parseIncarnation(worker[:at])
}

func parseIncarnation(s string) (i Incarnation, ok bool) {
	at := strings.LastIndexByte(s, '.')
	if at < 1 {
		return i, false
	}
	n, err := strconv.ParseInt(s[at+1:], 10, 64)
	if err != nil || n < 1 {
		return i, false
	}
	return Incarnation{s[:at], n}, true
}

// lastWords begin a container's termination message that names the incarnation
// which has ended with the container.
const lastWords = "sluice worker "

// LastWords is the termination message of the container that it runs in.
func (i Incarnation) LastWords() string { return lastWords + i.String() }

// IncarnationThatSaid is the one whose termination message this is, if it is one's.
func IncarnationThatSaid(message string) (Incarnation, bool) {
	name, ok := strings.CutPrefix(message, lastWords)
	if !ok {
		return Incarnation{}, false
	}
	return parseIncarnation(strings.TrimSpace(name))
}
