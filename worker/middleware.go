package worker

import (
	"slices"
	"time"
)

// Middleware wraps a handler in what is done around every item: a log line, a
// span, a limit, the recognition of an error. It sees the handler's error and
// may return another.
type Middleware func(Handler) Handler

// Chain wraps h. The first of with is the outermost: it sees an item first and
// its error last. What it returns is Persistent if h is, whatever the wrapping.
func Chain(h Handler, with ...Middleware) Handler {
	wrapped := h
	for _, m := range slices.Backward(with) {
		wrapped = m(wrapped)
	}
	inner, was := h.(Persistent)
	if _, is := wrapped.(Persistent); was && !is {
		return enduring{wrapped, inner}
	}
	return wrapped
}

// enduring is a handler with the grace of the one that it wraps.
type enduring struct {
	Handler
	inner Persistent
}

// StoreGrace implements Persistent.
func (e enduring) StoreGrace() time.Duration { return e.inner.StoreGrace() }
