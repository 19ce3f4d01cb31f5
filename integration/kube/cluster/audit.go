package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

func (c *Cluster) auditLog() string { return filepath.Join(c.dir, "audit.log") }

// Audit returns, in order, what the API server was asked and has answered:
// who, which verb, which object, which status. Bodies are not kept, and neither
// are nodes' heartbeats and what is no resource, such as /readyz. A request is
// in it before its answer is sent; a watch, once it ends. An object that was
// created from a generateName has none here.
func (c *Cluster) Audit() ([]auditv1.Event, error) { return c.AuditOf("") }

// AuditOf is of Audit what has a text in it, such as a namespace or a user, and
// takes a fraction of the time.
func (c *Cluster) AuditOf(text string) ([]auditv1.Event, error) {
	b, err := os.ReadFile(c.auditLog())
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	var events []auditv1.Event
	for line := range bytes.Lines(b) {
		if line[len(line)-1] != '\n' {
			break // it is being written
		}
		if !bytes.Contains(line, []byte(text)) {
			continue
		}
		var e auditv1.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("cluster: audit log: %w", err)
		}
		events = append(events, e)
	}
	return events, nil
}
