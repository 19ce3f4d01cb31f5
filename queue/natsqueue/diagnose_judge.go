package natsqueue

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/queue"
)

func (x *exam) identity() string {
	text := "nats-server " + x.nc.ConnectedServerVersion()
	if cluster := x.nc.ConnectedClusterName(); cluster != "" {
		text += fmt.Sprintf(", in the cluster %q", cluster)
	}
	return text
}

func (x *exam) clustered() bool { return x.nc.ConnectedClusterName() != "" }

// durability tells what a crashed host forgets. A killed server forgets
// nothing: the kernel has what it had acknowledged.
func (x *exam) durability() (queue.Verdict, string) {
	if len(x.servers) == 0 {
		return queue.VerdictUnknown, "only the server's operator knows its sync_interval: unless it is always, a crashed host loses what was acknowledged in the last 2 minutes, the default; " +
			"its monitoring port tells (--monitor http://HOST:8222), and so does " + SettingsSubject + " to an account that imports it from the system account"
	}
	longest, lax := time.Duration(0), ""
	for _, s := range x.servers {
		if c := s.JetStream.Config; !c.SyncAlways && c.SyncInterval >= longest {
			longest, lax = c.SyncInterval, s.Name
		}
	}
	if keep := x.keepers(); lax == "" && len(x.servers) < keep {
		return queue.VerdictUnknown, fmt.Sprintf("sync_interval always, as %s; a queue is kept by %d of the cluster's: the monitoring ports of the others tell of them (--monitor, once for each)", told(len(x.servers)), keep)
	}
	if lax == "" {
		return queue.VerdictOK, fmt.Sprintf("sync_interval always, as %s: neither a killed server nor a crashed host loses what was acknowledged", told(len(x.servers)))
	}
	alone := "a crashed host"
	if x.clustered() && x.replicas > 1 {
		alone = "a crash of most of its hosts at once"
	}
	return queue.VerdictWarn, fmt.Sprintf("sync_interval %s (%s): a killed server loses nothing; %s loses up to the last %s of what was acknowledged: set jetstream { sync_interval: always }",
		longest, lax, alone, longest)
}

// keepers is how many servers must have told before all that keep a queue may be
// taken to have: of a cluster all tell who may ask for that, but for what they
// tell at their monitoring ports.
func (x *exam) keepers() int {
	if !x.clustered() || x.monitored < len(x.servers) {
		return 0
	}
	n := x.replicas
	for _, s := range x.streams {
		n = max(n, s.Config.Replicas)
	}
	return n
}

func told(servers int) string {
	if servers == 1 {
		return "one server tells"
	}
	return fmt.Sprintf("%d servers tell", servers)
}

// keeping tells whether the streams of the queues keep all that they are given.
func (x *exam) keeping() (queue.Verdict, string) {
	if x.denied != nil {
		return queue.VerdictUnknown, "the login may not list streams ($JS.API.STREAM.LIST): whether those of its queues are on disk and discard nothing is not known"
	}
	for _, s := range x.streams {
		c := s.Config
		switch {
		case c.Storage == jetstream.MemoryStorage:
			return queue.VerdictFault, fmt.Sprintf("stream %s is in memory: a restarted server loses it", c.Name)
		case c.PersistMode == jetstream.AsyncPersistMode:
			return queue.VerdictFault, fmt.Sprintf("stream %s has persist_mode async: a killed server loses what was acknowledged", c.Name)
		case c.MaxMsgs > 0, c.MaxBytes > 0 && c.Discard != jetstream.DiscardNew, c.MaxAge > 0, c.MaxMsgsPerSubject > 0:
			return queue.VerdictFault, fmt.Sprintf("stream %s has a limit at which it forgets (max_msgs %d, max_bytes %d, max_age %s, max_msgs_per_subject %d): a queue must have none",
				c.Name, c.MaxMsgs, c.MaxBytes, c.MaxAge, c.MaxMsgsPerSubject)
		case c.MaxBytes > 0:
			return queue.VerdictWarn, fmt.Sprintf("stream %s has max_bytes %d: once it is full its queue stands still, settling included", c.Name, c.MaxBytes)
		}
	}
	if len(x.streams) == 0 {
		return queue.VerdictOK, "there is no queue yet"
	}
	return queue.VerdictOK, fmt.Sprintf("%s on disk, none discards", plural(len(x.streams), "stream"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// failover tells what the end of a node would lose.
func (x *exam) failover() (queue.Verdict, string) {
	if !x.clustered() {
		return queue.VerdictOK, "one server: nothing fails over; while it is away its queues stand still"
	}
	for _, s := range x.streams {
		if n := s.Config.Replicas; n < x.replicas || n == 1 {
			return queue.VerdictWarn, fmt.Sprintf("stream %s has %s: while that node is away its queue stands still, and with the node's disk it is lost: 'nats stream edit %s --replicas %d' mends it",
				s.Config.Name, plural(n, "replica"), s.Config.Name, max(x.replicas, 3))
		}
		if s.Cluster == nil {
			continue
		}
		for _, r := range s.Cluster.Replicas {
			if r.Offline || !r.Current {
				return queue.VerdictWarn, fmt.Sprintf("stream %s: its replica on %s is %s: until it is back fewer further nodes may fail", s.Config.Name, r.Name, state(r))
			}
		}
	}
	if x.replicas == 1 {
		return queue.VerdictWarn, "new queues get one replica: while its node is away a queue stands still, and with the node's disk it is lost: say ?replicas=3"
	}
	return queue.VerdictOK, fmt.Sprintf("%d replicas: %s may fail and nothing that was acknowledged is lost; a queue stands still for some seconds", x.replicas, plural((x.replicas-1)/2, "node"))
}

func state(r *jetstream.PeerInfo) string {
	if r.Offline {
		return "offline"
	}
	return fmt.Sprintf("%d operations behind", r.Lag)
}

// payload tells whether the largest items fit.
func (x *exam) payload() (queue.Verdict, string) {
	limit := x.nc.MaxPayload()
	has := "max_payload is " + mebibytes(limit)
	switch {
	case limit < queue.MaxPayloadBytes:
		return queue.VerdictWarn, has + ": larger items are refused: set max_payload 8MB"
	case limit < queue.MaxPayloadBytes+64<<10:
		return queue.VerdictOK, has + ": an item whose payload is that large is refused; with max_payload 8MB it fits"
	}
	return queue.VerdictOK, has
}
