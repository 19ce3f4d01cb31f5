package natsqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// SettingsSubject is where nats-servers tell their settings. It belongs to the
// system account, which keeps no streams: another account is told only if it
// imports the subject.
const SettingsSubject = "$SYS.REQ.SERVER.PING.VARZ"

// quietFor is how long after a server's answer another's may come.
const quietFor = 300 * time.Millisecond

// settings are what a server says of itself.
type settings struct {
	ID      string `json:"server_id"`
	Name    string `json:"server_name"`
	Cluster struct {
		Name string `json:"name"`
	} `json:"cluster"`
	Now       time.Time `json:"now"`
	JetStream struct {
		Config *struct {
			SyncInterval time.Duration `json:"sync_interval"`
			SyncAlways   bool          `json:"sync_always"`
		} `json:"config"`
	} `json:"jetstream"`
}

// askServers asks all servers for their settings. That none tells is no error.
func (x *exam) askServers(ctx context.Context) error {
	const many = 1 << 10
	var err error
	x.servers, err = askSettings(ctx, x.nc, many)
	return err
}

// askSettings returns when so many servers have told, or no more do.
func askSettings(ctx context.Context, nc *nats.Conn, most int) ([]settings, error) {
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest(SettingsSubject, inbox, nil); err != nil {
		return nil, err
	}
	var all []settings
	for patience := time.Second; len(all) < most; patience = quietFor {
		limited, cancel := context.WithTimeout(ctx, patience)
		m, err := sub.NextMsgWithContext(limited)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrPermissionViolation):
			return all, nil
		case err != nil:
			return nil, err
		}
		var reply struct {
			Data *settings `json:"data"`
		}
		if err := json.Unmarshal(m.Data, &reply); err != nil {
			return nil, fmt.Errorf("answer to %s: %w", SettingsSubject, err)
		}
		if reply.Data != nil && reply.Data.JetStream.Config != nil { // the others keep nothing
			all = append(all, *reply.Data)
		}
	}
	return all, nil
}
