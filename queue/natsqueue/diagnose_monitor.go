package natsqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice.dev/queue"
)

// mostSettings bounds the page of settings that a monitoring port may send.
const mostSettings = 1 << 20

// DiagnoseMonitored is Diagnose, with what servers of the store tell of their
// settings at their monitoring ports, which need no login: CheckMonitor says how
// they are named. It fails if one cannot be asked or is of another store.
func DiagnoseMonitored(ctx context.Context, store string, monitors []string) ([]queue.Finding, error) {
	p, err := parseURL(store)
	if err != nil {
		return nil, err
	}
	var pages []string
	for _, m := range monitors {
		page, err := monitorPage(m)
		if err != nil {
			return nil, err
		}
		pages = append(pages, page)
	}
	return p.diagnose(ctx, pages)
}

// CheckMonitor tells whether a text can be the address of a monitoring port:
// http://HOST:PORT or https://HOST:PORT, with the port's base path if it has one.
func CheckMonitor(monitor string) error {
	_, err := monitorPage(monitor)
	return err
}

// monitorPage is the address of the settings at a monitoring port.
func monitorPage(monitor string) (string, error) {
	u, err := url.Parse(monitor)
	if err == nil {
		monitor = u.Redacted() // for the error
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("monitor %q: http://HOST:PORT or https://HOST:PORT is allowed, of a server's http_port or https_port", monitor)
	}
	if !strings.HasSuffix(u.Path, "/varz") {
		u = u.JoinPath("varz")
	}
	return u.String(), nil
}

// askMonitor asks a monitoring port for its server's settings.
func (x *exam) askMonitor(ctx context.Context, page string) error {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	s, err := fetchSettings(ctx, page)
	switch {
	case err != nil:
		return fmt.Errorf("%w: monitor %s: %w", queue.ErrUnavailable, page, err)
	case x.clustered() && s.Cluster.Name != x.nc.ConnectedClusterName():
		return fmt.Errorf("monitor %s: it is of server %s, and not of the store's cluster %s", page, s.Name, x.nc.ConnectedClusterName())
	case !x.clustered() && s.ID != x.nc.ConnectedServerId():
		return fmt.Errorf("monitor %s: it is of server %s, and the store is %s", page, s.Name, x.nc.ConnectedServerName())
	case s.JetStream.Config == nil:
		return fmt.Errorf("monitor %s: server %s keeps no streams: ask one that does", page, s.Name)
	}
	if !slices.ContainsFunc(x.servers, func(o settings) bool { return o.ID == s.ID }) {
		x.servers, x.monitored = append(x.servers, s), x.monitored+1
	}
	return nil
}

func fetchSettings(ctx context.Context, page string) (s settings, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return s, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}}
	reply, err := client.Do(r)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // the page is named already
	}
	if err != nil {
		return s, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return s, fmt.Errorf("it says %s", reply.Status)
	}
	if err := json.NewDecoder(io.LimitReader(reply.Body, mostSettings)).Decode(&s); err != nil {
		return s, fmt.Errorf("it is not a nats-server's: %w", err)
	}
	if s.ID == "" {
		return s, errors.New("it is not a nats-server's")
	}
	return s, nil
}
