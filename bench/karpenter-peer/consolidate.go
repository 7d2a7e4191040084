// Consolidation to the end: Karpenter's emptiness, multi-node and single-node methods, asked again and again.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/controllers/disruption"
	"sigs.k8s.io/karpenter/pkg/controllers/provisioning"
	"sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	karpscheduling "sigs.k8s.io/karpenter/pkg/scheduling"
)

var errNoOffering = errors.New("a planned node has no offering that is allowed")

type ending struct {
	// Finished says that the methods have given no command any more; else the limit has been reached.
	Finished   bool       `json:"finished"`
	Nodes      int        `json:"nodes"`
	UsdPerHour float64    `json:"usdPerHour"`
	Evictions  int        `json:"evictions"`
	PeakRssMib float64    `json:"peakRssMib"`
	Decisions  []decision `json:"decisions"`
}

// decision is one round of the methods and what came of it; the last round finds nothing.
type decision struct {
	Method  string `json:"method"`
	Removed int    `json:"removed"`
	Added   int    `json:"added"`
	Evicted int    `json:"evicted"`
	// OnDemandInstead counts replacements that were narrowed to spot where none is sold, and bought on demand.
	OnDemandInstead int `json:"onDemandInstead"`
	// TimedOut says that a method has reached the time limit that it has in production too.
	TimedOut   bool    `json:"timedOut"`
	UsdPerHour float64 `json:"usdPerHour"`
	// WallMs and CPUMs: of the decision alone; carrying it out on paper is not counted.
	WallMs float64 `json:"wallMs"`
	CPUMs  float64 `json:"cpuMs"`
}

// approval stands in for the 15 seconds' wait and the second look, which find the cluster as it was.
type approval struct{}

func (approval) Validate(_ context.Context, c disruption.Command, _ time.Duration) (disruption.Command, error) {
	return c, nil
}

type consolidator struct {
	api     *memoryCluster
	cluster *state.Cluster
	cloud   priceList
	queue   *disruption.Queue
	methods []disruption.Method
	types   map[string]*cloudprovider.InstanceType
	// usdPerHour by node name.
	usdPerHour map[string]float64
	launched   int
}

func consolidateToRest(ctx context.Context, p *problem, limit time.Duration) (*ending, error) {
	c, err := newConsolidator(ctx, p)
	if err != nil {
		return nil, err
	}
	out := &ending{}
	for cpuMs := 0.0; cpuMs < float64(limit.Milliseconds()); {
		command, timedOut, spent, err := c.decide(ctx)
		if err != nil {
			return nil, err
		}
		did := decision{Method: "none"}
		if command != nil {
			if did, err = c.carryOut(ctx, command); err != nil {
				return nil, err
			}
		}
		did.WallMs, did.CPUMs, did.UsdPerHour = spent.wallMs, spent.cpuMs, c.totalUsdPerHour()
		did.TimedOut = timedOut
		cpuMs += spent.cpuMs
		out.Decisions = append(out.Decisions, did)
		out.Evictions += did.Evicted
		if command == nil {
			out.Finished = true
			break
		}
	}
	out.Nodes, out.UsdPerHour = len(c.api.nodes), c.totalUsdPerHour()
	out.PeakRssMib = float64(usage().Maxrss) / 1024
	return out, nil
}

func newConsolidator(ctx context.Context, p *problem) (*consolidator, error) {
	pool, offered, clk := readyPool(p), instanceTypes(p), clock.RealClock{}
	api, cloud := newMemoryCluster(p, pool), priceList{offered}
	cluster := state.NewCluster(clk, api, cloud)
	provisioner := provisioning.NewProvisioner(api, noEvents{}, cloud, cluster, clk, nil, nil)
	queue := disruption.NewQueue(api, noEvents{}, cluster, clk, provisioner)
	shared := disruption.MakeConsolidation(clk, cluster, api, provisioner, cloud, noEvents{}, queue)
	c := &consolidator{
		api: api, cluster: cluster, cloud: cloud, queue: queue,
		methods: []disruption.Method{
			disruption.NewEmptiness(shared, disruption.WithValidator(approval{})),
			disruption.NewMultiNodeConsolidation(shared, disruption.WithValidator(approval{})),
			disruption.NewSingleNodeConsolidation(shared, disruption.WithValidator(approval{})),
		},
		types: map[string]*cloudprovider.InstanceType{}, usdPerHour: map[string]float64{},
	}
	for _, one := range offered {
		c.types[one.Name] = one
	}
	for _, n := range p.Nodes {
		if err := c.addNode(ctx, n.Name, n.InstanceType, n.Zone, n.CapacityType); err != nil {
			return nil, err
		}
	}
	for _, pod := range copies(p.BoundPods) {
		if err := c.bind(ctx, pod, pod.Spec.NodeName); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// addNode registers a node that is up, with its claim.
func (c *consolidator) addNode(ctx context.Context, name, instanceType, zone, capacityType string) error {
	offered, ok := c.types[instanceType]
	if !ok {
		return fmt.Errorf("node %s is of type %s, which is not for sale", name, instanceType)
	}
	price, ok := offered.OfferingPrice(zone, capacityType)
	if !ok {
		return fmt.Errorf("node %s: %s is not sold %s in %s", name, instanceType, capacityType, zone)
	}
	labels := map[string]string{}
	for key, requirement := range offered.Requirements {
		if requirement.Operator() == corev1.NodeSelectorOpIn {
			labels[key] = requirement.Any()
		}
	}
	for key, value := range map[string]string{
		corev1.LabelHostname: name, corev1.LabelTopologyZone: zone, corev1.LabelOSStable: "linux",
		karpv1.CapacityTypeLabelKey: capacityType, karpv1.NodePoolLabelKey: c.api.pool.Name,
		karpv1.NodeRegisteredLabelKey: "true", karpv1.NodeInitializedLabelKey: "true",
	} {
		labels[key] = value
	}
	meta := metav1.ObjectMeta{Name: name, Labels: labels, CreationTimestamp: metav1.NewTime(time.Unix(1e9, 0))}
	provider := "price-list:///" + name
	claim := &karpv1.NodeClaim{ObjectMeta: *meta.DeepCopy(), Status: karpv1.NodeClaimStatus{
		ProviderID: provider, NodeName: name, Capacity: offered.Capacity, Allocatable: offered.Allocatable(),
	}}
	for _, reached := range []string{
		karpv1.ConditionTypeLaunched, karpv1.ConditionTypeRegistered, karpv1.ConditionTypeInitialized,
		karpv1.ConditionTypeConsolidatable,
	} {
		claim.StatusConditions().SetTrue(reached)
	}
	node := &corev1.Node{ObjectMeta: meta, Spec: corev1.NodeSpec{ProviderID: provider}, Status: corev1.NodeStatus{
		Capacity: offered.Capacity, Allocatable: offered.Allocatable(),
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}}
	c.usdPerHour[name] = price
	c.api.nodes[name] = node
	c.cluster.UpdateNodeClaim(claim)
	return c.cluster.UpdateNode(ctx, node)
}

func (c *consolidator) bind(ctx context.Context, pod *corev1.Pod, node string) error {
	moved := pod.DeepCopy()
	moved.Spec.NodeName, moved.Status.Phase = node, corev1.PodRunning
	c.api.podsOn[node] = append(c.api.podsOn[node], moved)
	return c.cluster.UpdatePod(ctx, moved)
}

// methodLimits holds after how long a method gives up: with what it has, or without a command.
var methodLimits = map[string]time.Duration{
	disruption.MultiNodeConsolidationType:  disruption.MultiNodeConsolidationTimeoutDuration,
	disruption.SingleNodeConsolidationType: disruption.SingleNodeConsolidationTimeoutDuration,
}

// decide asks the methods in the order of Karpenter's disruption controller; the first command is the decision.
// Nil when there is none. The bool says whether one of the methods has given up.
func (c *consolidator) decide(ctx context.Context) (*disruption.Command, bool, spending, error) {
	clk, spent, timedOut := clock.RealClock{}, stopwatch(), false
	for _, method := range c.methods {
		began := time.Now()
		candidates, err := disruption.GetCandidates(
			ctx, c.cluster, c.api, noEvents{}, clk, c.cloud, method.ShouldDisrupt, method.Class(), c.queue)
		if err != nil {
			return nil, timedOut, spending{}, err
		}
		if len(candidates) == 0 {
			continue
		}
		budgets, err := disruption.BuildDisruptionBudgetMapping(
			ctx, c.cluster, clk, c.api, c.cloud, noEvents{}, method.Reason())
		if err != nil {
			return nil, timedOut, spending{}, err
		}
		commands, err := method.ComputeCommands(ctx, budgets, candidates...)
		if err != nil {
			return nil, timedOut, spending{}, err
		}
		limit, limited := methodLimits[method.ConsolidationType()]
		timedOut = timedOut || (limited && time.Since(began) >= limit)
		for i := range commands {
			if commands[i].Decision() != disruption.NoOpDecision {
				commands[i].Method = method
				return &commands[i], timedOut, spent(), nil
			}
		}
	}
	return nil, timedOut, spent(), nil
}

// carryOut makes of the cluster what the command wants: replacements are up, pods run where it has put them.
func (c *consolidator) carryOut(ctx context.Context, command *disruption.Command) (decision, error) {
	did := decision{
		Method:  fmt.Sprintf("%s/%s", command.ConsolidationType(), command.Decision()),
		Removed: len(command.Candidates), Added: len(command.Replacements),
	}
	homes := map[string]string{}
	for _, node := range command.Results.ExistingNodes {
		for _, pod := range node.Pods {
			homes[podKey(pod)] = node.Name()
		}
	}
	for _, replacement := range command.Replacements {
		instead, name, err := c.launch(ctx, replacement.NodeClaim)
		if err != nil {
			return did, err
		}
		if instead {
			did.OnDemandInstead++
		}
		for _, pod := range replacement.Pods {
			homes[podKey(pod)] = name
		}
	}
	var evicted []*corev1.Pod
	for _, candidate := range command.Candidates {
		name := candidate.Name()
		evicted = append(evicted, c.api.podsOn[name]...)
		delete(c.api.podsOn, name)
		delete(c.api.nodes, name)
		delete(c.usdPerHour, name)
	}
	for _, pod := range evicted {
		home, ok := homes[podKey(pod)]
		if !ok {
			return did, fmt.Errorf("%s has lost its node and got none", pod.Name)
		}
		if err := c.bind(ctx, pod, home); err != nil {
			return did, err
		}
	}
	for _, candidate := range command.Candidates {
		c.cluster.DeleteNode(candidate.Name())
		c.cluster.DeleteNodeClaim(candidate.NodeClaim.Name)
	}
	did.Evicted = len(evicted)
	c.cluster.MarkUnconsolidated()
	return did, nil
}

// launch brings the cheapest node that a replacement allows. Karpenter narrows one that may be spot or on demand to
// spot, even where its zone sells no spot: a cloud would refuse that launch; on demand is bought to go on.
func (c *consolidator) launch(ctx context.Context, claim *scheduling.NodeClaim) (bool, string, error) {
	instanceType, offering, err := cheapest(claim)
	instead := errors.Is(err, errNoOffering)
	if instead {
		onDemand := karpscheduling.NewRequirement(
			karpv1.CapacityTypeLabelKey, corev1.NodeSelectorOpIn, karpv1.CapacityTypeOnDemand)
		claim.Requirements[karpv1.CapacityTypeLabelKey] = onDemand
		instanceType, offering, err = cheapest(claim)
	}
	if err != nil {
		return instead, "", err
	}
	c.launched++
	name := fmt.Sprintf("replacement-%d", c.launched)
	return instead, name, c.addNode(ctx, name, instanceType.Name, offering.Zone(), offering.CapacityType())
}

func (c *consolidator) totalUsdPerHour() float64 {
	total := 0.0
	for _, price := range c.usdPerHour {
		total += price
	}
	return total
}

func podKey(pod *corev1.Pod) string { return pod.Namespace + "/" + pod.Name }
