// Command karpenter-peer solves one scheduling problem, or consolidates one cluster (JSON on standard input), with
// Karpenter's own code, through its public API, and tells time and price (JSON on standard output). It needs no
// cluster.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/awslabs/operatorpkg/object"
	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/operator/injection"
	"sigs.k8s.io/karpenter/pkg/operator/options"
	testv1alpha1 "sigs.k8s.io/karpenter/pkg/test/v1alpha1"
)

func main() {
	if len(os.Args) < 2 {
		stop(fmt.Errorf("say solve or consolidate"))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	workers := flags.Int("workers", 1, "goroutines of the solver; production derives 1 from its default CPU request")
	repeats := flags.Int("repeats", 1, "solve: how often, from scratch each time")
	limit := flags.Duration("limit", time.Hour, "consolidate: CPU time of decisions; once it is spent no other begins")
	spotToSpot := flags.Bool("spot-to-spot", false, "consolidate: the feature gate SpotToSpotConsolidation")
	_ = flags.Parse(os.Args[2:])
	log.SetLogger(logr.Discard())
	var p problem
	if err := json.NewDecoder(os.Stdin).Decode(&p); err != nil {
		stop(err)
	}
	cloudprovider.ReservationIDLabel = "cooper.bench/reservation"
	karpv1.WellKnownLabels.Insert(cloudprovider.ReservationIDLabel).Insert(p.WellKnownLabels...)
	karpv1.WellKnownLabelsForOfferings.Insert(cloudprovider.ReservationIDLabel)
	ctx := options.ToContext(injection.WithControllerName(context.Background(), "provisioner"), &options.Options{
		CPURequests:       int64(*workers) * 1000,
		PreferencePolicy:  options.PreferencePolicyRespect,
		MinValuesPolicy:   options.MinValuesPolicyStrict,
		IgnoreDRARequests: true,
		FeatureGates:      options.FeatureGates{ReservedCapacity: true, SpotToSpotConsolidation: *spotToSpot},
	})
	var out any
	var err error
	switch os.Args[1] {
	case "solve":
		out, err = solveRepeatedly(ctx, &p, *workers, *repeats)
	case "consolidate":
		out, err = consolidateToRest(ctx, &p, *limit)
	default:
		err = fmt.Errorf("%q is neither solve nor consolidate", os.Args[1])
	}
	if err != nil {
		stop(err)
	}
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

func stop(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

type spending struct{ wallMs, cpuMs float64 }

// stopwatch tells what has been spent since it was started, the garbage collector's CPU time too.
func stopwatch() func() spending {
	cpuMs := func() float64 {
		used := usage()
		return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e6
	}
	before, start := cpuMs(), time.Now()
	return func() spending {
		return spending{wallMs: float64(time.Since(start).Microseconds()) / 1000, cpuMs: cpuMs() - before}
	}
}

// readyPool is the problem's pool as the controllers before the scheduler leave it.
func readyPool(p *problem) *karpv1.NodePool {
	pool := p.NodePool.DeepCopy()
	class := object.GVK(&testv1alpha1.TestNodeClass{})
	pool.Spec.Template.Spec.NodeClassRef = &karpv1.NodeClassReference{
		Group: class.Group, Kind: class.Kind, Name: "default",
	}
	pool.StatusConditions().SetTrue(karpv1.ConditionTypeValidationSucceeded)
	pool.StatusConditions().SetTrue(karpv1.ConditionTypeNodeClassReady)
	return pool
}

func instanceTypes(p *problem) []*cloudprovider.InstanceType {
	var offered []*cloudprovider.InstanceType
	for i := range p.InstanceTypes {
		offered = append(offered, p.InstanceTypes[i].instanceType())
	}
	return offered
}
