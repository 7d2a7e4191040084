// A cluster in memory that answers like an API server, and a cloud that only sells.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/awslabs/operatorpkg/status"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/events"
	testv1alpha1 "sigs.k8s.io/karpenter/pkg/test/v1alpha1"
)

// memoryCluster answers what a decision asks for again and again without much work, so that the figure measures
// Karpenter and not the stand-in behind it; in production an informer's cache answers. What is rarely asked for
// is left to the fake client below it.
type memoryCluster struct {
	client.Client
	pool   *karpv1.NodePool
	nodes  map[string]*corev1.Node
	podsOn map[string][]*corev1.Pod
}

func newMemoryCluster(p *problem, pool *karpv1.NodePool) *memoryCluster {
	builder := fake.NewClientBuilder().WithScheme(scheme.Scheme)
	seen := map[string]bool{}
	for _, pods := range [][]corev1.Pod{p.Pods, p.BoundPods, p.DaemonPods} {
		for i := range pods {
			name := pods[i].Namespace
			if seen[name] {
				continue
			}
			seen[name] = true
			labels := map[string]string{corev1.LabelMetadataName: name}
			builder.WithObjects(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
		}
	}
	for i, pod := range p.DaemonPods {
		builder.WithObjects(&appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("daemon-%d", i), Namespace: pod.Namespace},
			Spec: appsv1.DaemonSetSpec{
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec},
			},
		})
	}
	return &memoryCluster{
		Client: builder.Build(), pool: pool,
		nodes: map[string]*corev1.Node{}, podsOn: map[string][]*corev1.Pod{},
	}
}

func (c *memoryCluster) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	switch l := list.(type) {
	case *corev1.PodList:
		l.Items = c.podsFor((&client.ListOptions{}).ApplyOptions(opts))
		return nil
	case *karpv1.NodePoolList:
		l.Items = append(l.Items, *c.pool.DeepCopy())
		return nil
	case *corev1.NodeList, *karpv1.NodeClaimList:
		return nil // No decision lists them: Karpenter keeps its own state of both.
	}
	return c.Client.List(ctx, list, opts...)
}

// podsFor copies as a cache does that callers may write to.
func (c *memoryCluster) podsFor(asked *client.ListOptions) []corev1.Pod {
	var found []corev1.Pod
	add := func(pods []*corev1.Pod) {
		for _, pod := range pods {
			if asked.Namespace != "" && asked.Namespace != pod.Namespace {
				continue
			}
			if asked.LabelSelector != nil && !asked.LabelSelector.Matches(labels.Set(pod.Labels)) {
				continue
			}
			found = append(found, *pod.DeepCopy())
		}
	}
	if asked.FieldSelector != nil {
		if node, exact := asked.FieldSelector.RequiresExactMatch("spec.nodeName"); exact {
			add(c.podsOn[node])
			return found
		}
	}
	for _, pods := range c.podsOn {
		add(pods)
	}
	return found
}

func (c *memoryCluster) Get(
	ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption,
) error {
	node, isNode := into.(*corev1.Node)
	if !isNode {
		return c.Client.Get(ctx, key, into, opts...)
	}
	found, ok := c.nodes[key.Name]
	if !ok {
		return apierrors.NewNotFound(corev1.Resource("nodes"), key.Name)
	}
	found.DeepCopyInto(node)
	return nil
}

func copies(pods []corev1.Pod) []*corev1.Pod {
	out := make([]*corev1.Pod, 0, len(pods))
	for i := range pods {
		out = append(out, pods[i].DeepCopy())
	}
	return out
}

type noEvents struct{}

func (noEvents) Publish(...events.Event) {}

var errNoCloud = errors.New("there is no cloud behind a benchmark")

// priceList is a cloud that only says what there is for sale.
type priceList struct{ types []*cloudprovider.InstanceType }

func (priceList) Create(context.Context, *karpv1.NodeClaim) (*karpv1.NodeClaim, error) {
	return nil, errNoCloud
}
func (priceList) Delete(context.Context, *karpv1.NodeClaim) error        { return errNoCloud }
func (priceList) Get(context.Context, string) (*karpv1.NodeClaim, error) { return nil, errNoCloud }
func (priceList) List(context.Context) ([]*karpv1.NodeClaim, error)      { return nil, nil }
func (l priceList) GetInstanceTypes(context.Context, *karpv1.NodePool) ([]*cloudprovider.InstanceType, error) {
	return l.types, nil
}
func (priceList) IsDrifted(context.Context, *karpv1.NodeClaim) (cloudprovider.DriftReason, error) {
	return "", nil
}
func (priceList) RepairPolicies() []cloudprovider.RepairPolicy { return nil }
func (priceList) Name() string                                 { return "price list" }

// GetSupportedNodeClasses names the class that Karpenter's own tests use: pools of others are not managed.
func (priceList) GetSupportedNodeClasses() []status.Object {
	return []status.Object{&testv1alpha1.TestNodeClass{}}
}
