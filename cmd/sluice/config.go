package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/internal/nearest"
	"sluice.dev/internal/printer"
)

// config is what the file of contexts holds: names for stores.
type config struct {
	Current  string            `json:"current,omitempty"`
	Contexts map[string]target `json:"contexts,omitempty"`
}

// target is where a context leads.
type target struct {
	Store string `json:"store"`
}

// configPath is where the contexts are kept.
func configPath() (string, error) {
	if path := os.Getenv("SLUICE_CONFIG"); path != "" {
		return path, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", usagef("no folder for contexts: %w: set SLUICE_CONFIG to a file", err)
	}
	return filepath.Join(dir, "sluice", "config.json"), nil
}

// loadConfig reads the contexts; a file that is not there has none.
func loadConfig() (config, error) {
	var c config
	path, err := configPath()
	if err != nil {
		return c, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, usage(err)
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, usagef("%s: %w", path, err)
	}
	return c, nil
}

// save replaces the file whole: another reader sees the old one or the new.
// It is its owner's alone, since a store's URL may have a password.
func (c config) save() error {
	path, err := configPath()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return usage(err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".config-")
	if err != nil {
		return usage(err)
	}
	_, err = tmp.Write(append(b, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return usage(errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// contextStore is the store of a context; "" is the one in use.
func contextStore(name string) (place, error) {
	c, err := loadConfig()
	if err != nil {
		return place{}, err
	}
	if name == "" {
		if name = c.Current; name == "" {
			return place{}, usagef("no store: say --store URL, set %s, or choose one with 'sluice config set-context NAME --store URL' and 'sluice config use-context NAME'", storeVar)
		}
	}
	t, ok := c.Contexts[name]
	if !ok {
		return place{}, c.unknown(name)
	}
	return checked(t.Store, fmt.Sprintf("store of context %q", name))
}

// unknown is a context that is not there.
func (c config) unknown(name string) error {
	names := slices.Sorted(maps.Keys(c.Contexts))
	if near := nearest.Of(name, names); near != "" {
		return usagef("unknown context %q: did you mean %q?", name, near)
	}
	if len(names) == 0 {
		return usagef("unknown context %q: there is none yet; 'sluice config set-context' makes one", name)
	}
	return usagef("unknown context %q: there are %s", name, strings.Join(names, ", "))
}

func configCommand() *cobra.Command {
	return group("config", "Name stores and choose among them", setContextCommand(), useContextCommand(), getContextsCommand())
}

func setContextCommand() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use: "set-context NAME --store URL", Short: "Give a store a name", Args: words("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if store == "" {
				return usagef("--store is missing: say where context %q leads, such as redis://host:6379/0", args[0])
			}
			p, err := checked(store, "--store")
			if err != nil {
				return err
			}
			c, err := loadConfig()
			if err != nil {
				return err
			}
			if c.Contexts == nil {
				c.Contexts = make(map[string]target)
			}
			c.Contexts[args[0]] = target{p.url}
			if err := c.save(); err != nil {
				return err
			}
			return say(cmd, "context/%s set", args[0])
		},
	}
	cmd.Flags().StringVar(&store, "store", "", "`URL` of the store")
	return cmd
}

func useContextCommand() *cobra.Command {
	return &cobra.Command{
		Use: "use-context NAME", Short: "Use a store where no other is named", Args: words("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadConfig()
			if err != nil {
				return err
			}
			if _, ok := c.Contexts[args[0]]; !ok {
				return c.unknown(args[0])
			}
			c.Current = args[0]
			if err := c.save(); err != nil {
				return err
			}
			return say(cmd, "context/%s in use", args[0])
		},
	}
}

func getContextsCommand() *cobra.Command {
	var o outputFlag
	cmd := &cobra.Command{
		Use: "get-contexts", Short: "List the names of stores", Args: words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig()
			if err != nil {
				return err
			}
			var rows []printer.Row
			for _, name := range slices.Sorted(maps.Keys(c.Contexts)) {
				inUse := ""
				if name == c.Current {
					inUse = "*"
				}
				where := masked(c.Contexts[name].Store)
				rows = append(rows, printer.Row{
					Name: "context/" + name, Cells: []string{inUse, name, where},
					Value: map[string]any{"name": name, "store": where, "current": inUse != ""},
				})
			}
			return o.printer(cmd, "CURRENT", "NAME", "STORE").Print(rows)
		},
	}
	o.register(cmd)
	return cmd
}

// masked is a store's URL without login and parameters, which may have
// passwords.
func masked(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url // a folder's
	}
	rest, _, _ = strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		hosts = "***" + hosts[at:]
	}
	if path != "" {
		path = "/" + path
	}
	return scheme + "://" + hosts + path
}
