package console

import (
	"bytes"
	"cmp"

	"sluice.dev/internal/plain"
)

// Item opens the group of an item. It blocks until no other group is open.
func (c *Console) Item(h ItemHead) Group {
	c.turn.Lock()
	c.screen.Lock()
	c.screen.busy = true
	c.screen.Unlock()
	g := &group{c: c}
	if name := cmp.Or(h.Arg, h.ID); c.tag && name != "" {
		g.tag = append([]byte(plain.Text(name)), '\t')
	}
	return g
}

// group is the item whose turn it is.
type group struct {
	c   *Console
	tag []byte // before each line; nil for none
	buf []byte // tagged lines on their way
}

// Write puts a part of the item's output on the console's.
func (g *group) Write(s Stream, p []byte) {
	g.c.screen.Lock()
	defer g.c.screen.Unlock()
	if g.tag == nil {
		g.c.screen.write(s, p)
		return
	}
	g.writeTagged(s, p, g.c.screen.stream(s).open)
}

// writeTagged writes p with the tag before each line that begins in it, a
// chunk's worth at a time, since tags can make a great deal out of many short
// lines.
func (g *group) writeTagged(s Stream, p []byte, open bool) {
	for line := range bytes.Lines(p) {
		if !open {
			g.buf = append(g.buf, g.tag...)
		}
		g.buf = append(g.buf, line...)
		open = false // only the last line can lack its newline
		if len(g.buf) >= maxChunk {
			g.c.screen.write(s, g.buf)
			g.buf = g.buf[:0]
		}
	}
	g.c.screen.write(s, g.buf)
	g.buf = g.buf[:0]
}

// End closes the group: messages that waited for it are written and the
// progress is drawn again.
func (g *group) End(whole bool) {
	c := g.c
	c.screen.Lock()
	for _, s := range []*stream{&c.screen.stdout, &c.screen.stderr} {
		if s.terminal || c.tag || c.lines || !whole {
			s.finish()
		}
	}
	c.screen.busy = false
	c.flush()
	c.draw()
	c.screen.Unlock()
	c.turn.Unlock()
}
