package redisqueue_test

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// proxy stands before a store and loses replies: what the client asked for has
// happened, and the connection is closed instead of an answer.
type proxy struct {
	l      net.Listener
	target string
	wg     sync.WaitGroup

	mu    sync.Mutex
	lose  func() bool // asked before each reply
	lost  int
	conns map[net.Conn]struct{}
}

func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, target: target, conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url() string { return "redis://" + p.l.Addr().String() }

// loses sets which replies are lost from now on, and gives how many were.
func (p *proxy) loses(lose func() bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = lose
	return p.lost
}

// oneIn loses one reply in n, the same ones in every run.
func oneIn(n int) func() bool {
	r := rand.New(rand.NewPCG(3, 4))
	return func() bool { return r.IntN(n) == 0 }
}

func (p *proxy) accept() {
	for {
		client, err := p.l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.wg.Go(func() {
			_, _ = io.Copy(server, client)
			p.end(client, server)
		})
		p.wg.Go(func() {
			p.replies(client, server)
			p.end(client, server)
		})
	}
}

func (p *proxy) replies(client, server net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		lose := p.lose != nil && p.lose()
		if lose {
			p.lost++
		}
		p.mu.Unlock()
		if lose {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) end(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}
