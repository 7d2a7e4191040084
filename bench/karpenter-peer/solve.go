// One batch of pending pods, solved from scratch.
package main

import (
	"context"
	"fmt"
	"runtime"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/operator/options"
	karpscheduling "sigs.k8s.io/karpenter/pkg/scheduling"
)

type answer struct {
	// AllMs holds the wall time of each repeat: topology, scheduler and solve together; AllCPUMs the CPU time of
	// all threads meanwhile, the garbage collector's too, which other load on the machine disturbs less.
	AllMs       []float64         `json:"allMs"`
	AllCPUMs    []float64         `json:"allCpuMs"`
	PeakRssMib  float64           `json:"peakRssMib"`
	UsdPerHour  float64           `json:"usdPerHour"`
	Nodes       int               `json:"nodes"`
	Placed      int               `json:"placed"`
	Unscheduled map[string]string `json:"unscheduled"`
}

func solveRepeatedly(ctx context.Context, p *problem, workers, repeats int) (*answer, error) {
	out := &answer{Unscheduled: map[string]string{}}
	for range repeats {
		spent, results, err := solve(ctx, p, workers)
		if err != nil {
			return nil, err
		}
		out.AllMs = append(out.AllMs, spent.wallMs)
		out.AllCPUMs = append(out.AllCPUMs, spent.cpuMs)
		if err := out.describe(results); err != nil {
			return nil, err
		}
	}
	out.PeakRssMib = float64(usage().Maxrss) / 1024
	return out, nil
}

// solve measures what Karpenter does for one batch: it counts topology, builds the scheduler, and solves.
func solve(ctx context.Context, p *problem, workers int) (spending, scheduling.Results, error) {
	pool := readyPool(p)
	offered := instanceTypes(p)
	byPool := map[string][]*cloudprovider.InstanceType{pool.Name: offered}
	pools := []*karpv1.NodePool{pool}
	api := newMemoryCluster(p, pool)
	cluster := state.NewCluster(clock.RealClock{}, api, priceList{offered})
	pods, daemons := copies(p.Pods), copies(p.DaemonPods)
	choices := []scheduling.Options{
		scheduling.DisableReservedCapacityFallback,
		scheduling.NumConcurrentReconciles(workers),
		scheduling.MinValuesPolicy(options.MinValuesPolicyStrict),
	}

	runtime.GC()
	spent := stopwatch()
	topology, err := scheduling.NewTopology(ctx, api, cluster, nil, pools, byPool, pods, choices...)
	if err != nil {
		return spending{}, scheduling.Results{}, err
	}
	volumes := map[types.UID][]karpscheduling.Requirements{}
	scheduler := scheduling.NewScheduler(
		ctx, api, pools, cluster, nil, topology, byPool, daemons, noEvents{}, clock.RealClock{}, volumes, nil, choices...)
	results, err := scheduler.Solve(ctx, pods)
	return spent(), results, err
}

// describe prices the plan as a lowest-price launch would: each node at its cheapest offering that is allowed.
func (a *answer) describe(results scheduling.Results) error {
	a.UsdPerHour, a.Nodes, a.Placed = 0, len(results.NewNodeClaims), 0
	for pod, err := range results.PodErrors {
		a.Unscheduled[pod.Namespace+"/"+pod.Name] = err.Error()
	}
	for _, claim := range results.NewNodeClaims {
		a.Placed += len(claim.Pods)
		_, offering, err := cheapest(claim)
		if err != nil {
			return err
		}
		a.UsdPerHour += offering.Price
	}
	return nil
}

// cheapest is what a lowest-price launch would bring: nil when no offering is allowed.
func cheapest(claim *scheduling.NodeClaim) (*cloudprovider.InstanceType, *cloudprovider.Offering, error) {
	var best *cloudprovider.InstanceType
	var least *cloudprovider.Offering
	for _, option := range claim.InstanceTypeOptions {
		offering := option.Offerings.Available().Compatible(claim.Requirements).Cheapest()
		if offering == nil || (least != nil && offering.Price >= least.Price) {
			continue
		}
		for name, want := range claim.Spec.Resources.Requests {
			if have := option.Allocatable()[name]; want.Cmp(have) > 0 {
				return nil, nil, fmt.Errorf("%s has %s of %s, its pods ask for %s", option.Name, have.String(), name, want.String())
			}
		}
		best, least = option, offering
	}
	if least == nil {
		return nil, nil, errNoOffering
	}
	return best, least, nil
}
