package embedded

import (
	"fmt"
	"log/slog"
	"sync"
)

// logger takes what the server has to say.
type logger struct {
	log *slog.Logger

	mu      sync.Mutex
	last    string
	running bool
}

// Noticef implements server.Logger.
func (l *logger) Noticef(string, ...any) {}

// Debugf implements server.Logger.
func (l *logger) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (l *logger) Tracef(string, ...any) {}

// Warnf implements server.Logger.
func (l *logger) Warnf(format string, v ...any) {
	l.log.Warn("nats-server", "text", fmt.Sprintf(format, v...))
}

// Errorf implements server.Logger.
func (l *logger) Errorf(format string, v ...any) {
	l.log.Error("nats-server", "text", fmt.Sprintf(format, v...))
}

// Fatalf implements server.Logger. It does not end the process: while the server
// starts the caller gets the text, later the log.
func (l *logger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = fmt.Sprintf(format, v...)
	if l.running {
		l.log.Error("nats-server cannot go on", "text", l.last)
	}
}

// fatal is what the server cannot live with; "" if there is nothing.
func (l *logger) fatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// ready says that the server has started.
func (l *logger) ready() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = true
}
