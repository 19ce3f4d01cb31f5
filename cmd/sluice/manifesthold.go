package main

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	batchv1 "k8s.io/api/batch/v1"

	"sluice.dev/manifests/workload"
)

// hold is a field "suspend" of a run's files, and what of the run it holds. A
// nil one holds nothing, and nobody.
type hold struct {
	name string // whose it is, as kubectl would say: job.batch/pi
	file string

	mu   sync.Mutex
	on   bool
	over bool           // nothing of it will run any more
	held map[*held]bool // what is there now
}

// held is something that a hold holds.
type held struct {
	suspend func(on bool) // told of every change; may be nil
	running func() bool   // something of it runs, though it be suspended; nil: never
}

// suspended tells whether it holds.
func (h *hold) suspended() bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.on
}

// add has something held from now on, until done.
func (h *hold) add(it *held) (done func()) {
	if h == nil {
		return func() {}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if it.suspend != nil {
		it.suspend(h.on)
	}
	h.held[it] = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.held, it)
	}
}

// end says that nothing of it will run any more.
func (h *hold) end() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
}

// set tells whether that is a change.
func (h *hold) set(on bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on == on {
		return false
	}
	h.on = on
	for it := range h.held {
		if it.suspend != nil {
			it.suspend(on)
		}
	}
	return true
}

// look tells whether something of it runs, or will without a change of the
// file, and whether something waits for that change.
func (h *hold) look() (busy, waits bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for it := range h.held {
		busy = busy || !h.on || it.running != nil && it.running()
	}
	return busy, h.on && len(h.held) > 0
}

func (h *hold) state() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.over:
		return "has ended: suspend changes nothing now"
	case h.on:
		return "suspended"
	}
	return "resumed"
}

// holds are those of a run, in the order of its files.
type holds []*hold

// of is that of a document's field, nil if nothing can change it.
func (hs holds) of(name string) *hold {
	if i := slices.IndexFunc(hs, func(h *hold) bool { return h.name == name }); i >= 0 {
		return hs[i]
	}
	return nil
}

// waiting are those that hold something, if nothing else of the run goes on.
func (hs holds) waiting() (list []*hold) {
	for _, h := range hs {
		busy, waits := h.look()
		if busy {
			return nil
		}
		if waits {
			list = append(list, h)
		}
	}
	return list
}

// specs is what some files say: who is suspended, and all else.
type specs struct {
	holds holds
	rest  map[string]string // of each document, by its name
}

// specsOf reads it, before anything has filled in defaults.
func specsOf(file *workload.File) specs {
	s := specs{rest: make(map[string]string)}
	for _, d := range file.Documents {
		name := documentName(d)
		add := func(suffix string, field **bool) {
			s.holds = append(s.holds, &hold{name: name + suffix, file: d.File, on: *field != nil && **field, held: make(map[*held]bool)})
			*field = nil
		}
		object := d.Object
		switch o := d.Object.(type) {
		case *batchv1.Job:
			o = o.DeepCopy()
			add("", &o.Spec.Suspend)
			object = o
		case *batchv1.CronJob:
			o = o.DeepCopy()
			add("", &o.Spec.Suspend)
			object = o
		case *workload.WorkQueue:
			o = o.DeepCopy()
			add("", &o.Spec.Suspend)
			if o.Spec.Schedule != nil {
				add(scheduleOf, &o.Spec.Schedule.Suspend)
			}
			object = o
		}
		text, err := json.Marshal(object)
		if err != nil {
			panic("sluice: " + err.Error()) // it was read from JSON
		}
		s.rest[name] = string(text)
	}
	return s
}

// scheduleOf follows the name of a WorkQueue whose schedule is meant.
const scheduleOf = " schedule"

// groups of the kinds that a run has.
var groups = map[string]string{"Job": ".batch", "CronJob": ".batch", "WorkQueue": ".sluice.dev"}

// documentName is what kubectl calls an object, with its namespace if it has
// one.
func documentName(d *workload.Document) string {
	name := strings.ToLower(d.Kind) + groups[d.Kind] + "/" + d.Name
	if d.Namespace != "" {
		name += " -n " + d.Namespace
	}
	return name
}
