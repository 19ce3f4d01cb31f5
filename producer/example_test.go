package producer_test

import (
	"context"
	"fmt"
	"strings"

	"sluice.dev/internal/payload"
	"sluice.dev/producer"
	"sluice.dev/queue"
)

// printer is a queue that shows what it is given.
type printer map[string]bool

func (p printer) Enqueue(_ context.Context, items []queue.Item) ([]queue.Outcome, error) {
	var outcomes []queue.Outcome
	for _, it := range items {
		if p[it.ID] {
			outcomes = append(outcomes, queue.Duplicate)
			continue
		}
		p[it.ID] = true
		fmt.Printf("%s %s\n", it.ID, it.Payload)
		outcomes = append(outcomes, queue.Added)
	}
	return outcomes, nil
}

func ExampleEnqueue() {
	m, err := producer.NewMaker(producer.MakerOptions{
		Scope: "render --frame {} {out}\x00/renders/{}.png",
		Output: func(pl payload.Payload) (string, error) {
			return "/renders/" + pl.Arg + ".png", nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	lines := producer.Lines(strings.NewReader("0001\n0002\n0001\n"), "frames.txt", producer.LineOptions{})
	report, err := producer.Enqueue(context.Background(), printer{}, lines, m, producer.EnqueueOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report)
	// Output:
	// b51a3db0fcb861f3258b {"sluice":1,"arg":"0001","output":"/renders/0001.png"}
	// ea04d5016478c87ac447 {"sluice":1,"arg":"0002","output":"/renders/0002.png"}
	// 3 lines, 2 items, 1 duplicate
}

func ExampleCheck() {
	m, err := producer.NewMaker(producer.MakerOptions{
		Output: func(pl payload.Payload) (string, error) {
			name, _, _ := strings.Cut(pl.Arg, ".")
			return "/tmp/" + name + ".png", nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	lines := producer.Lines(strings.NewReader("cat.exr\ndog.exr\ncat.tif\n"), "images.txt", producer.LineOptions{})
	_, err = producer.Check(context.Background(), lines, m, producer.Outputs{Existing: producer.Replace})
	fmt.Println(err)
	// Output: images.txt:3: output /tmp/cat.png is that of images.txt:1 too: two items cannot publish one output
}

func ExampleLines() {
	list := strings.NewReader("a.exr\x00b\nc.exr\x00")
	for r, err := range producer.Lines(list, "find", producer.LineOptions{Null: true}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %q\n", r.Pos, r.Arg)
	}
	// Output:
	// find:1 "a.exr"
	// find:2 "b\nc.exr"
}
