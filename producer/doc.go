// Package producer turns inputs into items and adds them to a queue.
//
// A Source yields records: the lines of a reader, the files that a pattern
// matches, a list of arguments, JSON objects, the rows of a table, frames, the
// combinations of parameters. A Maker makes an item of each, whose id comes
// from what the item holds, so that the same work twice is one item and a
// changed file another.
//
// What can be read twice is checked first, whole, and then enqueued:
//
//	src := producer.File("frames.txt", producer.LineOptions{})
//	if _, err := producer.Check(ctx, src, maker, outputs); err != nil {
//		return err // nothing was enqueued
//	}
//	report, err := producer.Enqueue(ctx, q, src, maker, producer.EnqueueOptions{Outputs: outputs})
//
// A pipe is enqueued as it comes.
//
// Programs that have an item now and then, in many goroutines, add them through
// a Producer, which gathers them into few calls of the queue.
package producer
