package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// oldest is the first version of Redis that has all that the scripts call.
const oldest = 7

// greeting bounds how long a server may take to answer the first calls.
const greeting = 5 * time.Second

// check asks the server who it is, and refuses one that cannot keep a queue.
func (d *Driver) check(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, greeting)
	defer cancel()
	err := d.greet(limited)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// Whoever speaks otherwise says nothing that could be understood.
	_, timeout := errors.AsType[net.Error](err)
	_, unreached := errors.AsType[*net.OpError](err)
	if timeout && !unreached || errors.Is(err, io.EOF) || strings.HasPrefix(err.Error(), "redis: can't parse") {
		with := "without"
		if d.at.opts.TLSConfig != nil {
			with = "with"
		}
		return fmt.Errorf("no Redis %s TLS answers there: %w", with, err)
	}
	return err
}

func (d *Driver) greet(ctx context.Context) error {
	node, err := d.node(ctx)
	if err != nil {
		return err
	}
	pipe := node.Pipeline()
	hello := pipe.Hello(ctx, 3, "", "", "")
	if _, err := pipe.Exec(ctx); err != nil {
		switch {
		case errors.Is(err, redis.Nil):
			err = fmt.Errorf("its Sentinel knows no primary %q", d.at.opts.MasterName)
		case strings.Contains(err.Error(), "unknown command") && d.at.opts.MasterName != "":
			err = fmt.Errorf("no Sentinel answers there: %w", err)
		case strings.Contains(err.Error(), "unknown command"):
			err = fmt.Errorf("it does not know HELLO: Redis %d.0 or later is needed", oldest)
		}
		return err
	}
	if err := d.suits(hello.Val()); err != nil {
		return err
	}
	// HELLO is answered by one that is loading, or has lost its cluster.
	return d.rdb.Exists(ctx, d.prefix+"y").Err()
}

// suits looks at a server's answer to HELLO.
func (d *Driver) suits(server map[string]any) error {
	name, version, mode, role := text(server["server"]), text(server["version"]), text(server["mode"]), text(server["role"])
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < oldest && name == "redis" {
		return fmt.Errorf("it is Redis %s: %d.0 or later is needed", version, oldest)
	}
	switch {
	case mode == "sentinel":
		return errors.New("it is a Sentinel: redis+sentinel://host:port/PRIMARY is its URL")
	case mode == "cluster" && !d.at.opts.IsClusterMode:
		return errors.New("it is a node of a cluster: redis+cluster://host:port is its URL")
	case role == "replica" || role == "slave":
		return errors.New("it is a replica, which takes no writes: name its primary")
	}
	return nil
}

// Warnings names settings of the server by which items may be lost though
// nothing fails, a line each.
func (d *Driver) Warnings(ctx context.Context) ([]string, error) {
	node, err := d.node(ctx)
	if err != nil {
		return nil, classify(err)
	}
	info, err := node.Info(ctx, "memory").Result()
	if _, refused := errors.AsType[redis.Error](err); refused {
		return nil, nil // it tells its clients nothing, as an embedded store
	}
	if err != nil {
		return nil, classify(err)
	}
	policy := field(info, "maxmemory_policy")
	// The other policies evict keys with a time to live, which no queue has.
	if field(info, "maxmemory") != "0" && strings.HasPrefix(policy, "allkeys-") {
		return []string{fmt.Sprintf("store %s: maxmemory-policy is %s: once its memory is full it evicts queues: set noeviction", d.at.name, policy)}, nil
	}
	return nil, nil
}

// field reads a field of INFO's reply.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
