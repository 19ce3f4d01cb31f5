// Package embedded is a store inside this process, for a run on one machine:
// miniredis on a loopback port that the system chooses, behind a password that
// nobody else knows. It keeps nothing when the process ends.
package embedded

import (
	"crypto/rand"
	"fmt"
	"net/url"

	"github.com/alicebob/miniredis/v2"
)

// Store is a running embedded store.
type Store struct {
	mini *miniredis.Miniredis
	url  string
}

// Start starts a store.
func Start() (*Store, error) {
	m := miniredis.NewMiniRedis()
	password := rand.Text()
	m.RequireAuth(password)
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	u := url.URL{Scheme: "redis", User: url.UserPassword("", password), Host: m.Addr()}
	return &Store{mini: m, url: u.String()}, nil
}

// URL is where the store is, with its password: not for a command line.
func (s *Store) URL() string { return s.url }

// Close stops the store and forgets what it held.
func (s *Store) Close() { s.mini.Close() }
