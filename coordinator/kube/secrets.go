package kube

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// secretAge is how long what a Secret said is believed before it is read again.
const secretAge = time.Minute

// secrets reads Secrets by name. A thousand WorkQueues of one Secret cost the API
// server one read of it a minute.
type secrets struct {
	reader client.Reader // not cached: Secrets are never listed

	mu   sync.Mutex
	kept map[client.ObjectKey]secret
}

// secret is what one said, and when.
type secret struct {
	data map[string][]byte
	read time.Time
}

// get is a Secret as it was at most age ago, age being secretAge at the most.
func (s *secrets) get(ctx context.Context, key client.ObjectKey, now time.Time, age time.Duration) (secret, error) {
	s.mu.Lock()
	was, ok := s.kept[key]
	s.mu.Unlock()
	if ok && now.Sub(was.read) < age {
		return was, nil
	}
	var o corev1.Secret
	if err := s.reader.Get(ctx, key, &o); err != nil {
		return secret{}, err
	}
	is := secret{o.Data, now}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = make(map[client.ObjectKey]secret)
	}
	maps.DeleteFunc(s.kept, func(_ client.ObjectKey, o secret) bool { return now.Sub(o.read) >= secretAge })
	s.kept[key] = is
	return is, nil
}
