package kube

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// reads is an API server that has one Secret, and counts who asks for it.
type reads struct {
	client.Reader
	n   int
	url string
}

func (r *reads) Get(_ context.Context, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	r.n++
	if r.url == "" {
		return errors.New("forbidden")
	}
	o.(*corev1.Secret).Data = map[string][]byte{"url": []byte(r.url)}
	return nil
}

func TestManyReadOneSecretOnce(t *testing.T) {
	r := &reads{}
	s := secrets{reader: r}
	for _, step := range []struct {
		at, age time.Duration
		url     string // of the Secret by then
		want    string
		reads   int
	}{
		{0, secretAge, "", "", 1},
		{0, secretAge, "a", "a", 2}, // an error is not kept
		{time.Second / 2, freshly, "b", "a", 2},
		{secretAge - 1, secretAge, "b", "a", 2},
		{secretAge - 1, freshly, "b", "b", 3},
		{2*secretAge - 2, secretAge, "c", "b", 3},
		{2*secretAge - 1, secretAge, "c", "c", 4},
	} {
		r.url = step.url
		got, err := s.get(t.Context(), client.ObjectKey{Namespace: "n", Name: "s"}, began.Add(step.at), step.age)
		if url := string(got.data["url"]); url != step.want || r.n != step.reads || (err != nil) != (step.url == "") {
			t.Errorf("after %s, at most %s old: %q by %d reads, %v; want %q by %d", step.at, step.age, url, r.n, err, step.want, step.reads)
		}
	}
}
