package natsqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/queue"
)

// asking bounds how long one question may take.
const asking = 5 * time.Second

// Diagnose looks at a store's settings and state and tells what would be lost
// when. It changes nothing and takes about two seconds. Its error is for a
// store that cannot be reached.
func Diagnose(ctx context.Context, url string) ([]queue.Finding, error) {
	return DiagnoseMonitored(ctx, url, nil)
}

// diagnose diagnoses the store of a URL, with some pages of settings.
func (p *place) diagnose(ctx context.Context, pages []string) ([]queue.Finding, error) {
	nc, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	out, err := diagnose(ctx, nc, p.prefix, p.replicas, pages)
	if err != nil {
		return nil, p.wrap(err)
	}
	return out, nil
}

// DiagnoseConn is Diagnose for a connection, and the prefix and the replicas of
// Options.
func DiagnoseConn(ctx context.Context, nc *nats.Conn, prefix string, replicas int) ([]queue.Finding, error) {
	return diagnose(ctx, nc, prefix, replicas, nil)
}

func diagnose(ctx context.Context, nc *nats.Conn, prefix string, replicas int, pages []string) ([]queue.Finding, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(asking))
	if err != nil {
		return nil, err
	}
	x := &exam{nc: nc, js: js, login: login{nc, cmp.Or(prefix, DefaultPrefix) + "."}, replicas: max(replicas, 1)}
	account, err := x.account(ctx)
	if err != nil {
		return nil, err
	}
	if account.Verdict == queue.VerdictFault {
		return []queue.Finding{account}, nil // nothing else could be asked, or matters
	}
	if err := x.askServers(ctx); err != nil {
		return nil, err
	}
	for _, page := range pages {
		if err := x.askMonitor(ctx, page); err != nil {
			return nil, err
		}
	}
	if err := x.list(ctx, cmp.Or(prefix, DefaultPrefix)+"="); err != nil {
		return nil, err
	}
	x.add("server", queue.VerdictOK, x.identity())
	x.judge("durability", x.durability)
	x.judge("streams", x.keeping)
	x.findings = append(x.findings, account)
	x.judge("failover", x.failover)
	x.judge("payload", x.payload)
	clock, err := queue.ProbeClock(ctx, x.now)
	return append(x.findings, clock...), err
}

// exam is what was asked and found so far.
type exam struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	login    login
	replicas int // that new queues are to have

	servers   []settings              // of those that told
	monitored int                     // of them, at their monitoring ports
	streams   []*jetstream.StreamInfo // of our queues
	denied    error                   // the streams may not be listed
	findings  []queue.Finding
}

func (x *exam) add(check string, v queue.Verdict, detail string) {
	x.findings = append(x.findings, queue.Finding{Check: check, Verdict: v, Detail: line{errors.New(detail)}.Error()})
}

func (x *exam) judge(check string, by func() (queue.Verdict, string)) {
	v, detail := by()
	x.add(check, v, detail)
}

// account finds what JetStream gives to the account. An error of the
// connection is one; that JetStream is off, or may not be asked, is a finding.
func (x *exam) account(ctx context.Context) (queue.Finding, error) {
	info, err := heed(ctx, x.login, x.js.AccountInfo)
	finding := func(v queue.Verdict, detail string) (queue.Finding, error) {
		return queue.Finding{Check: "disk", Verdict: v, Detail: detail}, nil
	}
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return finding(queue.VerdictFault, "JetStream is off for the login's account, so that nothing can be kept: its operator enables it")
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return finding(queue.VerdictFault, "JetStream is off, so that nothing can be kept: start nats-server with --jetstream and a --store_dir")
	case errors.Is(err, nats.ErrPermissionViolation):
		return finding(queue.VerdictUnknown, "the login may not ask for the account's limits ($JS.API.INFO)")
	case err != nil:
		return queue.Finding{}, fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
	}
	limits, used := info.Limits, info.Store
	if tier, ok := info.Tiers[fmt.Sprintf("R%d", x.replicas)]; ok {
		limits, used = tier.Limits, tier.Store
	} else if len(info.Tiers) > 0 {
		return finding(queue.VerdictFault, fmt.Sprintf("the account may keep no stream of %d replicas: it has limits for other numbers alone", x.replicas))
	}
	has := fmt.Sprintf("the account uses %s of disk", mebibytes(int64(used)))
	if limits.MaxStore >= 0 {
		has += " of " + mebibytes(limits.MaxStore)
	}
	const full = "; when that is full nothing more is taken, settling included"
	switch {
	case limits.MaxBytesRequired:
		return finding(queue.VerdictFault, "the account demands max_bytes of every stream, which would end a queue when it is reached: its operator lifts that")
	case limits.MaxStore == 0:
		return finding(queue.VerdictFault, "the account may keep nothing on disk")
	case limits.MaxStreams >= 0 && info.Streams >= limits.MaxStreams:
		return finding(queue.VerdictWarn, fmt.Sprintf("%s; it has all of the %d streams that it may have: there is room for no new queue", has, limits.MaxStreams))
	case limits.MaxStore > 0 && int64(used) > limits.MaxStore/10*9:
		return finding(queue.VerdictWarn, has+full)
	case limits.MaxStore > 0:
		return finding(queue.VerdictOK, has+full)
	}
	return finding(queue.VerdictOK, has+", without a limit but the server's own")
}

// list finds the streams of our queues.
func (x *exam) list(ctx context.Context, prefix string) error {
	limited, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	streams, err := heed(limited, x.login, func(ctx context.Context) (out []*jetstream.StreamInfo, err error) {
		all := x.js.ListStreams(ctx)
		for info := range all.Info() {
			if strings.HasPrefix(info.Config.Name, prefix) {
				out = append(out, info)
			}
		}
		return out, all.Err()
	})
	if x.streams = streams; errors.Is(err, nats.ErrPermissionViolation) {
		x.denied, err = err, nil
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
	}
	return err
}

// now asks for the store's time where a queue would: at a stream's leader. A
// store without a queue tells it among its settings, if at all.
func (x *exam) now(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	if len(x.streams) > 0 {
		s, err := x.js.Stream(ctx, x.streams[0].Config.Name)
		if err != nil {
			return time.Time{}, fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
		}
		return s.CachedInfo().TimeStamp, nil
	}
	if len(x.servers) == 1 && x.monitored == 0 {
		all, err := askSettings(ctx, x.nc, 1)
		if err == nil && len(all) == 1 {
			return all[0].Now, nil
		}
		return time.Time{}, err
	}
	if err := x.nc.FlushWithContext(ctx); err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
	}
	return time.Time{}, nil
}

// mebibytes is a number of bytes as a person says it.
func mebibytes(n int64) string {
	if n < 10<<30 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
