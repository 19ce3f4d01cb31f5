package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice.dev/internal/console"
	"sluice.dev/internal/payload"
	"sluice.dev/internal/printer"
	"sluice.dev/queue"
)

// The views are what output as JSON and YAML shows.

type depthView struct {
	Blocked   int64 `json:"blocked"`
	Delayed   int64 `json:"delayed"`
	Ready     int64 `json:"ready"`
	Held      int64 `json:"held"` // of ready: what no one may claim
	Leased    int64 `json:"leased"`
	Done      int64 `json:"done"`
	Dead      int64 `json:"dead"`
	Cancelled int64 `json:"cancelled"`
	Total     int64 `json:"total"`
}

func viewDepth(d queue.Depth) depthView {
	return depthView{d.Blocked, d.Delayed, d.Ready, d.Held, d.Leased, d.Done, d.Dead, d.Cancelled, d.Total()}
}

type itemView struct {
	ID         string            `json:"id"`
	State      queue.State       `json:"state"`
	Batch      string            `json:"batch,omitempty"`
	Argument   string            `json:"argument"`
	Fields     map[string]string `json:"fields,omitempty"`
	Output     string            `json:"output,omitempty"`
	Priority   int               `json:"priority"`
	Attempts   int               `json:"attempts"`
	Releases   int               `json:"releases"`
	Worker     string            `json:"worker,omitempty"`
	Token      uint64            `json:"token,omitempty"`
	DueSeconds float64           `json:"dueSeconds,omitempty"`
	Failures   []queue.Failure   `json:"failures,omitempty"`
	Result     string            `json:"result,omitempty"`
}

var itemColumns = []string{"ID", "STATE", "ATTEMPTS", "BATCH", "ITEM", "REASON", "+PRIORITY", "+RELEASES", "+WORKER", "+DUE", "+OUTPUT"}

func itemRow(r queue.Record) printer.Row {
	v := itemView{
		ID: r.Item.ID, State: r.State, Batch: r.Item.Batch, Argument: argument(r.Item), Fields: itemFields(r.Item), Output: r.Item.Output,
		Priority: r.Item.Priority, Attempts: r.Attempts, Releases: r.Releases, Worker: r.Worker, Token: r.Token,
		DueSeconds: seconds(r.Due), Failures: r.Failures, Result: string(r.Result),
	}
	due := ""
	if r.Due > 0 {
		due = console.Duration(r.Due)
	}
	return printer.Row{Name: "item/" + v.ID, Value: v, Cells: []string{
		v.ID, string(v.State), strconv.Itoa(v.Attempts), v.Batch, cut(v.Argument, 40), cut(reason(r), 60),
		strconv.Itoa(v.Priority), strconv.Itoa(v.Releases), v.Worker, due, v.Output,
	}}
}

// argument is what a person knows an item by.
func argument(it queue.Item) string {
	if p, err := payload.Decode(it.Payload); err == nil {
		return p.Arg
	}
	return string(it.Payload)
}

// reason is why an item failed last.
func reason(r queue.Record) string {
	if len(r.Failures) == 0 {
		return ""
	}
	return r.Failures[len(r.Failures)-1].String()
}

type batchView struct {
	Name            string    `json:"name"`
	State           string    `json:"state"`
	Sealed          bool      `json:"sealed"`
	Suspended       bool      `json:"suspended"`
	Cancelled       bool      `json:"cancelled"`
	Reason          string    `json:"reason,omitempty"`
	After           string    `json:"after,omitempty"`
	AgeSeconds      float64   `json:"ageSeconds"`
	DeadlineSeconds float64   `json:"deadlineSeconds,omitempty"`
	Depth           depthView `json:"depth"`
}

var batchColumns = []string{"NAME", "STATE", "DONE", "DEAD", "AGE", "+READY", "+LEASED", "+DELAYED", "+BLOCKED", "+CANCELLED", "+AFTER", "+DEADLINE"}

func batchRow(b queue.BatchInfo) printer.Row {
	deadline := ""
	if b.Deadline != 0 {
		deadline = console.Duration(b.Deadline)
	}
	return printer.Row{
		Name: "batch/" + b.Name,
		Value: batchView{
			b.Name, b.State(), b.Sealed, b.Suspended, b.Cancelled, b.Reason, b.After,
			seconds(b.Age), seconds(b.Deadline), viewDepth(b.Depth),
		},
		Cells: []string{
			b.Name, b.State(), fmt.Sprintf("%d/%d", b.Depth.Done, b.Depth.Total()), number(b.Depth.Dead), console.Duration(b.Age),
			number(b.Depth.Ready), number(b.Depth.Leased), number(b.Depth.Delayed), number(b.Depth.Blocked), number(b.Depth.Cancelled),
			b.After, deadline,
		},
	}
}

type policyView struct {
	LeaseSeconds         float64 `json:"leaseSeconds"`
	BackoffLimit         int     `json:"backoffLimit"`
	RetryDelaySeconds    float64 `json:"retryDelaySeconds"`
	RetryDelayMaxSeconds float64 `json:"retryDelayMaxSeconds"`
	DisruptionLimit      int     `json:"disruptionLimit"`
	RetentionSeconds     float64 `json:"retentionSeconds"`
}

type queueView struct {
	Name    string     `json:"name"`
	Paused  bool       `json:"paused"`
	Depth   depthView  `json:"depth"`
	Workers int        `json:"workers"`
	Policy  policyView `json:"policy"`
}

var queueColumns = []string{"NAME", "STATE", "READY", "HELD", "LEASED", "DELAYED", "BLOCKED", "DONE", "DEAD", "CANCELLED", "WORKERS", "+LEASE", "+BACKOFF LIMIT", "+RETRY DELAY", "+RETENTION"}

func queueRow(ctx context.Context, name string, q *queue.Queue) (printer.Row, error) {
	d, err := q.Depth(ctx)
	if err != nil {
		return printer.Row{}, err
	}
	workers, err := q.Workers(ctx)
	if err != nil {
		return printer.Row{}, err
	}
	p, err := q.SetPolicy(ctx, queue.Policy{}, false)
	if err != nil {
		return printer.Row{}, err
	}
	n := live(workers)
	return printer.Row{
		Name: "queue/" + name,
		Value: queueView{name, d.Paused, viewDepth(d), n, policyView{
			seconds(p.Lease), *p.BackoffLimit, seconds(p.RetryDelay), seconds(p.RetryDelayMax), *p.DisruptionLimit, seconds(p.Retention),
		}},
		Cells: []string{
			name, queueState(d), number(d.Ready), number(d.Held), number(d.Leased), number(d.Delayed), number(d.Blocked), number(d.Done), number(d.Dead),
			number(d.Cancelled), strconv.Itoa(n), short(p.Lease), strconv.Itoa(*p.BackoffLimit), short(p.RetryDelay), short(p.Retention),
		},
	}, nil
}

// queueState is a queue in one word, for people.
func queueState(d queue.Depth) string {
	if d.Paused {
		return "Paused"
	}
	return "Active"
}

type workerView struct {
	ID          string  `json:"id"`
	State       string  `json:"state"`
	Leases      int     `json:"leases"`
	SeenSeconds float64 `json:"seenSeconds"`
}

var workerColumns = []string{"NAME", "STATE", "LEASES", "SEEN"}

func workerRow(w queue.WorkerInfo) printer.Row {
	v := workerView{w.ID, workerState(w), w.Leases, seconds(w.Seen)}
	return printer.Row{Name: "worker/" + w.ID, Value: v, Cells: []string{v.ID, v.State, strconv.Itoa(v.Leases), console.Duration(w.Seen)}}
}

// silentAfter is how long a worker may say nothing before people should not
// count on it: an idle one looks at its queue more often.
const silentAfter = time.Minute

// workerState is a worker in one word. One that holds leases renews them
// without an exchange.
func workerState(w queue.WorkerInfo) string {
	switch {
	case w.Gone:
		return "Left"
	case w.Seen > silentAfter && w.Leases == 0:
		return "Silent"
	}
	return "Live"
}

func live(workers []queue.WorkerInfo) int {
	n := 0
	for _, w := range workers {
		if workerState(w) == "Live" {
			n++
		}
	}
	return n
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// cut is at most n characters of the first line of s.
func cut(s string, n int) string {
	s, rest, _ := strings.Cut(s, "\n")
	r := []rune(s)
	if len(r) > n {
		return string(r[:n-3]) + "..."
	}
	if rest != "" {
		return s + " ..."
	}
	return s
}
