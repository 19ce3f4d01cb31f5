package console

import (
	"encoding/json"
	"fmt"
	"time"

	"sluice.dev/internal/plain"
	"sluice.dev/queue"
)

// A frame is a kind (one byte), the length of its body (four bytes, big
// endian) and the body. The frames of an item are one head, any number of
// chunks and one end, with no other item's between them. Events come anywhere
// between frames.
const (
	kindHead  = 'h' // a headBody, as JSON
	kindOut   = 'o' // a chunk of the item's stdout
	kindErr   = 'e' // a chunk of its stderr
	kindEnd   = '.' // nothing
	kindEvent = 'v' // an Event, as JSON

	headerBytes = 5
	maxChunk    = 64 << 10
	maxJSON     = 2 << 20 // an argument of 1 MiB in base64, with room for the rest
)

// ItemHead says whose output a group is.
type ItemHead struct {
	ID      string `json:"id"`
	Arg     string `json:"-"`           // any bytes, at most queue.MaxPayloadBytes
	N       int64  `json:"n,omitempty"` // place in the input, from 1; 0 if unknown
	Attempt int    `json:"attempt,omitempty"`
	Slot    int    `json:"slot,omitempty"`
	Worker  string `json:"worker,omitempty"`
}

// headBody is an ItemHead on the wire: JSON strings cannot carry an argument
// that is not UTF-8.
type headBody struct {
	ItemHead
	Arg []byte `json:"arg,omitempty"`
}

func encodeHead(h ItemHead) ([]byte, error) {
	return json.Marshal(headBody{ItemHead: h, Arg: []byte(h.Arg)})
}

func decodeHead(b []byte) (ItemHead, error) {
	var body headBody
	if err := json.Unmarshal(b, &body); err != nil {
		return ItemHead{}, err
	}
	body.ItemHead.Arg = string(body.Arg)
	return body.ItemHead, nil
}

// EventType is what an Event tells.
type EventType string

// The types of events, with the fields that each uses besides Worker.
const (
	ItemStarted   EventType = "started" // ID, Attempt
	ItemSettled   EventType = "settled" // ID, Attempt, Token, Verb, Cause and Exit (unless acked), Took; Began and Command if asked for
	ItemsRunning  EventType = "running" // Running: all that have run for a while, in place of what the worker said before
	WorkerUnfit   EventType = "unfit"   // Text: why no item can run in it
	WorkerSuspect EventType = "suspect" // Text: why; For: how long it claims nothing, 0 if unsaid
	LogLine       EventType = "log"     // Text: one line
)

// Event is something that happened in a worker.
type Event struct {
	Type    EventType     `json:"type"`
	Worker  string        `json:"worker,omitempty"`
	ID      string        `json:"id,omitempty"`
	Attempt int           `json:"attempt,omitempty"`
	Token   uint64        `json:"token,omitempty"`
	Verb    queue.Verb    `json:"verb,omitempty"`
	Cause   queue.Cause   `json:"cause,omitempty"`
	Exit    int           `json:"exit,omitempty"` // 128 and the signal for a command that was killed
	Began   time.Time     `json:"began,omitzero"`
	Took    time.Duration `json:"took,omitempty"`
	Command []byte        `json:"command,omitempty"` // as a shell would read it; any bytes
	For     time.Duration `json:"for,omitempty"`
	Text    string        `json:"text,omitempty"`
	Running []RunningItem `json:"running,omitempty"`
}

// RunningItem is an item whose command runs.
type RunningItem struct {
	ID      string        `json:"id"`
	Text    string        `json:"text,omitempty"` // what a person calls it; "": the id
	For     time.Duration `json:"for"`            // how long it has run
	Percent float64       `json:"percent"`        // how far it is by its own output, 0 to 100, if Known
	Known   bool          `json:"known,omitempty"`
	Said    time.Duration `json:"said,omitempty"` // how long it had run when it said so first
}

// line is the event as a person reads it, "" for one that the progress line
// tells well enough.
func (e Event) line() string {
	switch e.Type {
	case WorkerSuspect:
		pause := ""
		if e.For > 0 {
			pause = " for " + Duration(e.For)
		}
		return fmt.Sprintf("sluice: worker %s is suspect and claims nothing%s: %s\n", plain.Text(e.Worker), pause, plain.Text(e.Text))
	case LogLine:
		return fmt.Sprintf("sluice: worker %s: %s\n", plain.Text(e.Worker), plain.Text(e.Text))
	}
	return ""
}
