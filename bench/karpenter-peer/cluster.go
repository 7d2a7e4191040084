// An API server without nodes or running pods, and a cloud that is never asked.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/awslabs/operatorpkg/status"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/events"
)

// emptyCluster answers the lists that a solve repeats without any work, so that the figure measures the solver
// and not the stand-in behind it; in production an informer's cache answers them.
type emptyCluster struct {
	client.Client
	pool *karpv1.NodePool
}

func newEmptyCluster(p *problem, pool *karpv1.NodePool) client.Client {
	builder := fake.NewClientBuilder().WithScheme(scheme.Scheme)
	seen := map[string]bool{}
	for _, pods := range [][]corev1.Pod{p.Pods, p.DaemonPods} {
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
	return &emptyCluster{Client: builder.Build(), pool: pool}
}

func (c *emptyCluster) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	switch l := list.(type) {
	case *corev1.PodList, *corev1.NodeList, *karpv1.NodeClaimList:
		return nil
	case *karpv1.NodePoolList:
		l.Items = append(l.Items, *c.pool.DeepCopy())
		return nil
	}
	return c.Client.List(ctx, list, opts...)
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

type noCloud struct{}

func (noCloud) Create(context.Context, *karpv1.NodeClaim) (*karpv1.NodeClaim, error) {
	return nil, errNoCloud
}
func (noCloud) Delete(context.Context, *karpv1.NodeClaim) error        { return errNoCloud }
func (noCloud) Get(context.Context, string) (*karpv1.NodeClaim, error) { return nil, errNoCloud }
func (noCloud) List(context.Context) ([]*karpv1.NodeClaim, error)      { return nil, nil }
func (noCloud) GetInstanceTypes(context.Context, *karpv1.NodePool) ([]*cloudprovider.InstanceType, error) {
	return nil, errNoCloud
}
func (noCloud) IsDrifted(context.Context, *karpv1.NodeClaim) (cloudprovider.DriftReason, error) {
	return "", nil
}
func (noCloud) RepairPolicies() []cloudprovider.RepairPolicy { return nil }
func (noCloud) Name() string                                 { return "none" }
func (noCloud) GetSupportedNodeClasses() []status.Object     { return nil }
