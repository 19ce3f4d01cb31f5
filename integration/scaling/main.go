// Command scaling simulates how many pods the coordinator's plan starts for a
// queue, beside the formulas of a KEDA ScaledJob, on the same arrivals. It
// prints a page in Markdown and draws its picture:
//
//	go run ./integration/scaling -svg docs/scaling.svg > docs/scaling.md
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"sluice.dev/coordinator"
)

func main() {
	svg := flag.String("svg", "", "`FILE` for a picture of one of the traces")
	largest := flag.Int("largest", 1_000_000, "items of the largest trace")
	flag.Parse()
	if err := run(os.Stdout, *svg, *largest); err != nil {
		fmt.Fprintln(os.Stderr, "scaling:", err)
		os.Exit(1)
	}
}

type contender struct {
	name string
	scaler
}

func contenders(t trace) []contender {
	const (
		idle = 30 * time.Second // idleSeconds of a cluster, unless it is set
		poll = 30 * time.Second // pollingInterval, unless it is set
	)
	maximum := t.Max
	options := coordinator.Options{Max: maximum, ItemsPerWorker: 1}
	list := []contender{
		{"sluice", sluice{options, idle}},
		{"KEDA default", keda{strategy: byDefault, max: maximum, every: poll}},
		{"KEDA accurate", keda{strategy: accurate, max: maximum, every: poll}},
		{"KEDA eager", keda{strategy: eager, max: maximum, every: poll}},
		{"KEDA accurate, polled every 5 s", keda{strategy: accurate, max: maximum, every: 5 * time.Second}},
		{"KEDA accurate, an item a pod", keda{strategy: accurate, max: maximum, every: poll, single: true}},
		{"sluice, idle for 5 s", sluice{options, 5 * time.Second}},
	}
	if n := t.PerWorker; n > 0 {
		several := options
		several.ItemsPerWorker = n
		list = append(list, contender{fmt.Sprintf("sluice, itemsPerWorker %d", n), sluice{several, idle}},
			contender{fmt.Sprintf("KEDA accurate, a target of %d", n), keda{strategy: accurate, max: maximum, every: poll, target: n}})
	}
	return list
}

func run(w io.Writer, svg string, largest int) error {
	fmt.Fprint(w, preface)
	for _, t := range traces(largest) {
		fmt.Fprintf(w, "\n## %s\n\n%s; at most %d pods, which take %v to %v to start.\n\n", t.Name, t.Says, t.Max, t.Start, 2*t.Start)
		fmt.Fprintln(w, "| | drained after the last arrival | mean wait | most pods | pods started | found nothing | pod hours |")
		fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
		var results []result
		list := contenders(t)
		for _, c := range list {
			r := simulate(t, c.scaler, 1)
			results = append(results, r)
			fmt.Fprintf(w, "| %s | %s | %s | %d | %d | %d | %.2f |\n", c.name,
				seconds(r.Drained), seconds(r.Wait), r.Peak, r.Started, r.Nothing, r.PodHours)
		}
		if svg != "" && t.Name == drawn {
			if err := os.WriteFile(svg, draw(t, list[:4], results[:4]), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

const (
	drawn   = "A trickle"
	preface = `# How many pods, and when

What the coordinator's plan asks for, beside the formulas of a KEDA ScaledJob
(its three strategies, as its documentation and its source give them), on the
same arrivals: a simulation, in which the plan is the product's own function.
` + "`make scaling`" + ` makes this page and its picture.

The plan is told of events and decides 100 ms later; KEDA looks at its
pollingInterval, 30 s unless set. A pod does one item after another. Under KEDA
it ends when it finds none, the kindest reading; "an item a pod" is that of its
examples. Under sluice it waits for more before it asks to leave, 30 s unless
set: that is where its further pod hours go. Neither ends a pod that has an item.

![pods over time](scaling.svg)
`
)

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
