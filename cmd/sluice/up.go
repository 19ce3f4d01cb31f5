package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"sluice.dev/queue/natsqueue/embedded"
)

// upFlags are what "sluice up" was told.
type upFlags struct {
	store, listen, tokenFile, cert, key string
}

func upCommand() *cobra.Command {
	f := &upFlags{}
	cmd := &cobra.Command{
		Use: "up", Short: "Serve a durable store on this machine", Args: words(),
		Long: `Serve a durable store on this machine, in the foreground, until it is interrupted.

The store is a folder. Every write is synced to disk before it is acknowledged,
so that neither a killed process nor a crashed host loses anything. Started again
on the same folder it has everything. One process at a time has the folder.

In any other shell, the line that it prints leads there:

  export SLUICE_STORE=nats://127.0.0.1:4222

Whoever may run programs on this machine may use the store, unless --token-file
is given; to listen on an address that other machines reach needs it.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.store, "store", "", "`file:DIR` of the store, made if it is not there (default file:"+shortHome(upFolder())+")")
	fs.StringVar(&f.listen, "listen", "127.0.0.1:4222", "`HOST:PORT` for clients; with port 0 the system chooses one")
	fs.StringVar(&f.tokenFile, "token-file", "", "let in only who shows the token that `FILE` holds; made, with a new token, if it is not there")
	fs.StringVar(&f.cert, "cert", "", "`FILE` with the certificate for TLS, in PEM; needs --key")
	fs.StringVar(&f.key, "key", "", "`FILE` with the certificate's key")
	return cmd
}

// upFolder is where the store is unless --store says otherwise.
func upFolder() string {
	base := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		base = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(base, "sluice", "store")
}

// shortHome writes ~ for the home folder, for people.
func shortHome(path string) string {
	home, err := os.UserHomeDir()
	if rest, ok := strings.CutPrefix(path, home+string(filepath.Separator)); err == nil && ok {
		return filepath.Join("~", rest)
	}
	return path
}

func (f *upFlags) run(cmd *cobra.Command) error {
	o, err := f.options()
	if err != nil {
		return usage(err)
	}
	o.Log = slog.New(slog.NewTextHandler(prefixed{cmd.ErrOrStderr()}, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: terse}))
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := embedded.Start(o)
	if err != nil {
		return &exitError{exitStore, err}
	}
	defer s.Close()
	if err := f.greet(cmd, o.Dir, s.URL()); err != nil {
		return err
	}
	err = s.Lead(ctx)
	stop() // a second signal ends it at once
	if err != nil {
		return &exitError{exitStore, err}
	}
	return say(cmd, "store %s is down; 'sluice up' on the same folder has all of it again", o.Dir)
}

// options reads the flags. What is missing in files and folders is made.
func (f *upFlags) options() (embedded.Options, error) {
	o := embedded.Options{Listen: f.listen}
	store := f.store
	if store == "" {
		dir := upFolder()
		if dir == "" {
			return o, errors.New("--store file:DIR is missing, and there is no home folder to choose one in")
		}
		store = embedded.Scheme + ":" + dir
	}
	if !strings.HasPrefix(store, embedded.Scheme+":") {
		return o, fmt.Errorf("--store %q: a folder to serve is allowed: file:DIR", masked(store))
	}
	var err error
	if o.Dir, err = embedded.Folder(store); err != nil {
		return o, fmt.Errorf("--store: %w", err)
	}
	host, port, err := net.SplitHostPort(f.listen)
	if err != nil {
		return o, fmt.Errorf("--listen %q: HOST:PORT is allowed", f.listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return o, fmt.Errorf("--listen %q: port %q: 0 to 65535 is allowed", f.listen, port)
	}
	if !loopback(host) && f.tokenFile == "" {
		return o, fmt.Errorf("--listen %q: others can reach that address: --token-file FILE must say who may come in", f.listen)
	}
	if (f.cert == "") != (f.key == "") {
		return o, fmt.Errorf("--cert %q, --key %q: both or neither must be given", f.cert, f.key)
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return o, fmt.Errorf("--cert %q, --key %q: %w", f.cert, f.key, err)
		}
		o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	if f.tokenFile != "" {
		if f.tokenFile, err = filepath.Abs(f.tokenFile); err != nil {
			return o, fmt.Errorf("--token-file: %w", err)
		}
		if o.Token, err = embedded.Token(f.tokenFile); err != nil {
			return o, fmt.Errorf("--token-file: %w", err)
		}
	}
	return o, nil
}

// loopback tells whether only this machine reaches a host's address.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// greet tells what to do next.
func (f *upFlags) greet(cmd *cobra.Command, dir, at string) error {
	u, err := url.Parse(at)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			u.Host = net.JoinHostPort(name, u.Port())
		}
	}
	params := url.Values{}
	if f.tokenFile != "" {
		params.Set("tokenFile", f.tokenFile)
	}
	u.RawQuery = strings.ReplaceAll(params.Encode(), "%2F", "/") // which people read, and a query may have
	next := "In any other shell:"
	if !loopback(u.Hostname()) {
		next = "In any other shell, here or where a copy of the token's file is:"
		if f.cert == "" {
			next = "Without --cert and --key the token and the items cross the network for all to read.\n" + next
		}
	}
	return say(cmd, "store %s is up; Ctrl-C ends it and keeps what it holds\n%s\n\n  export %s=%s\n", dir, next, storeVar, quoted(u.String()))
}

// quoted is a word for a shell.
func quoted(s string) string {
	if strings.ContainsAny(s, "?&*'\"\\$` ;|<>()[]~#") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
