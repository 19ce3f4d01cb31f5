package job

import "sync"

// inbox is what has happened since the last decision of a loop.
type inbox struct {
	kick chan struct{} // has a value when there is news

	mu   sync.Mutex
	news []func()
}

func newInbox() inbox { return inbox{kick: make(chan struct{}, 1)} }

// post has the loop's goroutine do something before its next decision, which
// follows soon. It never blocks.
func (b *inbox) post(happened func()) {
	b.mu.Lock()
	b.news = append(b.news, happened)
	b.mu.Unlock()
	select {
	case b.kick <- struct{}{}:
	default: // it will look anyway
	}
}

// open does what was posted.
func (b *inbox) open() {
	b.mu.Lock()
	news := b.news
	b.news = nil
	b.mu.Unlock()
	for _, happened := range news {
		happened()
	}
}
