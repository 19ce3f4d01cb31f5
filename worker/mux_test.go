package worker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"sluice.dev/queue"
)

func item(payload string) *Attempt {
	return NewAttempt(queue.Lease{Item: queue.Item{ID: "a", Payload: []byte(payload)}}, "w", 1, nil)
}

func TestAMuxPicksByKind(t *testing.T) {
	ran := ""
	says := func(s string, err error) Handler {
		return HandlerFunc(func(context.Context, *Attempt) error {
			ran = s
			return err
		})
	}
	oops := errors.New("oops")
	m := NewMux(KindField("kind"))
	m.On("render", says("render", nil))
	m.On("encode", says("encode", oops))
	m.On("7", says("seven", nil))
	failed := func(verb queue.Verb, message string) queue.Settlement {
		return queue.Settlement{Verb: verb, Failure: queue.Failure{Cause: queue.CauseError, Message: message}}
	}
	for name, test := range map[string]struct {
		payload, ran string
		want         queue.Settlement
	}{
		"one":              {`{"kind":"render"}`, "render", queue.Settlement{Verb: queue.Ack}},
		"another":          {`{"frame":3,"kind":"encode"}`, "encode", failed(queue.Nack, "oops")},
		"a number":         {`{"kind":7}`, "seven", queue.Settlement{Verb: queue.Ack}},
		"the command line": {`{"sluice":1,"arg":"x","fields":{"kind":"render"}}`, "render", queue.Settlement{Verb: queue.Ack}},
		"unknown":          {`{"kind":"paint"}`, "", failed(queue.Release, `no handler for kind "paint": this worker has ["7" "encode" "render"]`)},
		"none":             {`{"frame":3}`, "", failed(queue.Bury, "the item has no kind")},
		"no object":        {`render`, "", failed(queue.Bury, "the item has no kind")},
		"a newer form":     {`{"sluice":2}`, "", failed(queue.Bury, "the item has no kind")},
	} {
		ran = ""
		a := item(test.payload)
		got := Settlement(t.Context(), a.Lease, nil, m.Handle(t.Context(), a))
		if ran != test.ran {
			t.Errorf("%s: handler %q ran, want %q", name, ran, test.ran)
		}
		if got.Verb != test.want.Verb || got.Failure != test.want.Failure || got.Backoff != (got.Verb == queue.Release) {
			t.Errorf("%s: settled as %s %q, want %s %q", name, got.Verb, got.Failure, test.want.Verb, test.want.Failure)
		}
	}
}

func TestAMuxRefusesSlips(t *testing.T) {
	h := takes(0)
	for name, slip := range map[string]func(*Mux){
		"no kind":    func(m *Mux) { m.On("", h) },
		"no handler": func(m *Mux) { m.On("a", nil) },
		"twice":      func(m *Mux) { m.On("b", h) },
	} {
		m := NewMux(func(queue.Item) string { return "" })
		m.On("b", h)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			slip(m)
		}()
	}
}

func TestAMuxPersistsAsLongAsItsShortest(t *testing.T) {
	long, short := persistent{takes(0), time.Hour}, persistent{takes(0), time.Minute}
	for name, test := range map[string]struct {
		handlers []Handler
		want     time.Duration
	}{
		"none":                  {nil, 0},
		"one":                   {[]Handler{long}, time.Hour},
		"two":                   {[]Handler{long, short}, time.Minute},
		"one is not persistent": {[]Handler{long, takes(0), short}, 0},
	} {
		m := NewMux(KindField("kind"))
		for i, h := range test.handlers {
			m.On(string(rune('a'+i)), h)
		}
		if got := m.StoreGrace(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestChainWrapsFromTheOutside(t *testing.T) {
	var calls []string
	note := func(name string) Middleware {
		return func(next Handler) Handler {
			return HandlerFunc(func(ctx context.Context, a *Attempt) error {
				calls = append(calls, name)
				err := next.Handle(ctx, a)
				calls = append(calls, "after "+name)
				return err
			})
		}
	}
	oops := errors.New("oops")
	h := HandlerFunc(func(context.Context, *Attempt) error {
		calls = append(calls, "handler")
		return oops
	})
	if err := Chain(h, note("outer"), note("inner")).Handle(t.Context(), item("")); !errors.Is(err, oops) {
		t.Errorf("error %v, want the handler's", err)
	}
	if want := []string{"outer", "inner", "handler", "after inner", "after outer"}; !slices.Equal(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
	if _, is := Chain(h, note("x")).(Persistent); is {
		t.Error("a chain is Persistent though its handler is not")
	}
	wrapped, is := Chain(persistent{h, time.Hour}, note("x")).(Persistent)
	if !is || wrapped.StoreGrace() != time.Hour {
		t.Errorf("a chain lost its handler's grace: %v", wrapped)
	}
}
