// Command karpenter-peer solves one scheduling problem (JSON on standard input) with Karpenter's own scheduler,
// through its public API, and tells time and price (JSON on standard output). It needs no cluster.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/operator/injection"
	"sigs.k8s.io/karpenter/pkg/operator/options"
	karpscheduling "sigs.k8s.io/karpenter/pkg/scheduling"
)

func main() {
	workers := flag.Int("workers", 1, "goroutines of the solver; production derives 1 from its default CPU request")
	repeats := flag.Int("repeats", 1, "how often to solve, from scratch each time")
	flag.Parse()
	log.SetLogger(logr.Discard())
	var p problem
	if err := json.NewDecoder(os.Stdin).Decode(&p); err != nil {
		stop(err)
	}
	cloudprovider.ReservationIDLabel = "cooper.bench/reservation"
	karpv1.WellKnownLabels.Insert(cloudprovider.ReservationIDLabel).Insert(p.WellKnownLabels...)
	karpv1.WellKnownLabelsForOfferings.Insert(cloudprovider.ReservationIDLabel)
	out := answer{Unscheduled: map[string]string{}}
	for range *repeats {
		spent, results, err := solve(&p, *workers)
		if err != nil {
			stop(err)
		}
		out.AllMs = append(out.AllMs, spent.wallMs)
		out.AllCPUMs = append(out.AllCPUMs, spent.cpuMs)
		if err := out.describe(results); err != nil {
			stop(err)
		}
	}
	out.PeakRssMib = float64(usage().Maxrss) / 1024
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		stop(err)
	}
}

func usage() syscall.Rusage {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		stop(err)
	}
	return used
}

func cpuMs(used syscall.Rusage) float64 {
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e6
}

func stop(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

type spending struct{ wallMs, cpuMs float64 }

// solve measures what Karpenter does for one batch: it counts topology, builds the scheduler, and solves.
func solve(p *problem, workers int) (spending, scheduling.Results, error) {
	ctx := options.ToContext(injection.WithControllerName(context.Background(), "provisioner"), &options.Options{
		CPURequests:       int64(workers) * 1000,
		PreferencePolicy:  options.PreferencePolicyRespect,
		MinValuesPolicy:   options.MinValuesPolicyStrict,
		IgnoreDRARequests: true,
		FeatureGates:      options.FeatureGates{ReservedCapacity: true},
	})
	pool := p.NodePool.DeepCopy()
	pool.StatusConditions().SetTrue(karpv1.ConditionTypeValidationSucceeded)
	pool.StatusConditions().SetTrue(karpv1.ConditionTypeNodeClassReady)
	var offered []*cloudprovider.InstanceType
	for i := range p.InstanceTypes {
		offered = append(offered, p.InstanceTypes[i].instanceType())
	}
	byPool := map[string][]*cloudprovider.InstanceType{pool.Name: offered}
	pools := []*karpv1.NodePool{pool}
	api := newEmptyCluster(p, pool)
	cluster := state.NewCluster(clock.RealClock{}, api, noCloud{})
	pods, daemons := copies(p.Pods), copies(p.DaemonPods)
	choices := []scheduling.Options{
		scheduling.DisableReservedCapacityFallback,
		scheduling.NumConcurrentReconciles(workers),
		scheduling.MinValuesPolicy(options.MinValuesPolicyStrict),
	}

	runtime.GC()
	before, start := usage(), time.Now()
	topology, err := scheduling.NewTopology(ctx, api, cluster, nil, pools, byPool, pods, choices...)
	if err != nil {
		return spending{}, scheduling.Results{}, err
	}
	volumes := map[types.UID][]karpscheduling.Requirements{}
	scheduler := scheduling.NewScheduler(
		ctx, api, pools, cluster, nil, topology, byPool, daemons, noEvents{}, clock.RealClock{}, volumes, nil, choices...)
	results, err := scheduler.Solve(ctx, pods)
	wallMs := float64(time.Since(start).Microseconds()) / 1000
	return spending{wallMs: wallMs, cpuMs: cpuMs(usage()) - cpuMs(before)}, results, err
}

// describe prices the plan as a lowest-price launch would: each node at its cheapest offering that is allowed.
func (a *answer) describe(results scheduling.Results) error {
	a.UsdPerHour, a.Nodes, a.Placed = 0, len(results.NewNodeClaims), 0
	for pod, err := range results.PodErrors {
		a.Unscheduled[pod.Namespace+"/"+pod.Name] = err.Error()
	}
	for _, claim := range results.NewNodeClaims {
		a.Placed += len(claim.Pods)
		least := -1.0
		for _, option := range claim.InstanceTypeOptions {
			cheapest := option.Offerings.Available().Compatible(claim.Requirements).Cheapest()
			if cheapest == nil || (least >= 0 && cheapest.Price >= least) {
				continue
			}
			for name, want := range claim.Spec.Resources.Requests {
				if have := option.Allocatable()[name]; want.Cmp(have) > 0 {
					return fmt.Errorf("%s has %s of %s, its pods ask for %s", option.Name, have.String(), name, want.String())
				}
			}
			least = cheapest.Price
		}
		if least < 0 {
			return fmt.Errorf("a planned node has no offering that is allowed")
		}
		a.UsdPerHour += least
	}
	return nil
}
