package coordinator_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// Each right of manifests/base is taken away in turn: a coordinator without it
// asks for what it needs, is refused, and says so. One that nobody misses would
// be a right too many.
func TestEachRightIsNeeded(t *testing.T) {
	t.Parallel()
	for _, r := range rights(t) {
		t.Run(strings.ReplaceAll(r.String(), "/", "-"), func(t *testing.T) {
			t.Parallel()
			use := uses[r.String()]
			if use == nil {
				t.Fatal("no situation is known in which it is used")
			}
			p := newPlace(t)
			if r.verb == "list" { // an API server before 1.32 sends no lists through a watch
				p.env = append(p.env, "KUBE_FEATURE_WatchListClient=false")
			}
			user := "without-" + p.namespace
			use(p, p.without(r, user))
			until(t, soon, func(ctx context.Context) error { return p.missed(ctx, r, user) })
		})
	}
}

// right is one verb for one resource.
type right struct {
	verb, group, resource string
}

func (r right) String() string { return strings.Trim(r.verb+" "+r.resource+"."+r.group, ".") }

// roles are those of the coordinator: for all namespaces, and for its own.
func roles(t *testing.T) (all rbacv1.ClusterRole, own rbacv1.Role) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifests, "base", "rbac.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for d := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		doc, err := d.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var kind metav1.PartialObjectMetadata
		if err := errors.Join(err, yaml.Unmarshal(doc, &kind)); err != nil {
			t.Fatal(err)
		}
		switch {
		case kind.Name != "sluice-coordinator":
		case kind.Kind == "ClusterRole":
			err = yaml.Unmarshal(doc, &all)
		case kind.Kind == "Role":
			err = yaml.Unmarshal(doc, &own)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all.Rules) == 0 || len(own.Rules) == 0 {
		t.Fatal("rbac.yaml has not the roles of the coordinator")
	}
	return all, own
}

// rights are all that the coordinator has.
func rights(t *testing.T) (list []right) {
	all, own := roles(t)
	for _, rule := range slices.Concat(all.Rules, own.Rules) {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				list = append(list, right{verb, rule.APIGroups[0], resource})
			}
		}
	}
	return list
}

// less is rules without a right.
func less(rules []rbacv1.PolicyRule, r right) (left []rbacv1.PolicyRule) {
	for _, rule := range rules {
		if rule.APIGroups[0] == r.group && slices.Contains(rule.Resources, r.resource) {
			rule.Verbs = slices.DeleteFunc(rule.Verbs, func(v string) bool { return v == r.verb })
		}
		if len(rule.Verbs) > 0 {
			left = append(left, rule)
		}
	}
	return left
}

// without makes a user with the coordinator's rights but one, whose Lease is in
// this place, and returns the user's kubeconfig.
func (p *place) without(r right, user string) (file string) {
	p.Helper()
	ctx, rbac := p.Context(), kube.Client().RbacV1()
	all, own := roles(p.T)
	all.Rules, own.Rules = less(all.Rules, r), less(own.Rules, r)
	all.Name = user
	own.Name, own.Namespace = user, p.namespace
	subject := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}
	_, err1 := rbac.ClusterRoles().Create(ctx, &all, metav1.CreateOptions{})
	_, err2 := rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: user}, Subjects: subject,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user}}, metav1.CreateOptions{})
	_, err3 := rbac.Roles(p.namespace).Create(ctx, &own, metav1.CreateOptions{})
	_, err4 := rbac.RoleBindings(p.namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: user}, Subjects: subject,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user}}, metav1.CreateOptions{})
	p.Cleanup(func() {
		_ = rbac.ClusterRoleBindings().Delete(context.Background(), user, metav1.DeleteOptions{})
		_ = rbac.ClusterRoles().Delete(context.Background(), user, metav1.DeleteOptions{})
	})
	plain := filepath.Join(p.TempDir(), "kubeconfig")
	if err := errors.Join(err1, err2, err3, err4, kube.WriteKubeconfig(plain, user)); err != nil {
		p.Fatal(err)
	}
	return inNamespace(p.T, plain, p.namespace)
}

// missed is an error until the API server has refused a user a right, and it is
// told where people look.
func (p *place) missed(ctx context.Context, r right, user string) error {
	says := fmt.Sprintf("cannot %s resource %q in API group %q", r.verb, r.resource, r.group)
	where, err := p.where(ctx, says)
	if err != nil {
		return err
	}
	if len(where) == 0 {
		return fmt.Errorf("nobody says that it %s", says)
	}
	events, err := kube.AuditOf(user)
	if err != nil {
		return err
	}
	resource, sub, _ := strings.Cut(r.resource, "/")
	if !slices.ContainsFunc(events, func(e auditv1.Event) bool {
		o := e.ObjectRef
		return e.User.Username == user && e.Verb == r.verb && o != nil && o.APIGroup == r.group && o.Resource == resource && o.Subresource == sub &&
			e.ResponseStatus.Code == http.StatusForbidden
	}) {
		return errors.New("it was not asked for")
	}
	p.Logf("without %s: told in %s", r, strings.Join(where, ", "))
	return nil
}

// where finds a text in the conditions of WorkQueues, in events, in coordinators'
// logs.
func (p *place) where(ctx context.Context, text string) (found []string, err error) {
	list, err := objects.Resource(workQueues).Namespace(p.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, o := range list.Items {
		w, err := p.workQueue(ctx, o.GetName())
		if err != nil {
			return nil, err
		}
		for _, c := range w.Status.Conditions {
			if strings.Contains(c.Message, text) {
				found = append(found, "the condition "+c.Type)
			}
		}
	}
	events, err := kube.Client().EventsV1().Events(p.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, e := range events.Items {
		if strings.Contains(e.Note, text) {
			found = append(found, "the event "+e.Reason)
		}
	}
	for _, r := range p.replicas {
		if strings.Contains(strings.ReplaceAll(r.log(), `\"`, `"`), text) {
			found = append(found, "the log")
		}
	}
	return found, nil
}
