// Command controlplane carries a whole Kubernetes control plane for tests in one program: etcd, kube-apiserver,
// kube-scheduler and kube-controller-manager, with kubectl and kwok for whoever drives it.
//
// The component is chosen by the name the program is called under (a symbolic link), or by its first argument.
// With COOPER_EXIT_WITH_STDIN=1 a server ends as soon as its standard input closes, so that a test run that is
// killed leaves no server behind.
package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"

	"k8s.io/component-base/cli"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwokcmd "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

// A server runs until it is told to end; a tool does one thing and returns.
type program struct {
	server bool
	run    func() int
}

var programs = map[string]program{
	"etcd":                    {true, runEtcd},
	"kube-apiserver":          {true, func() int { return cli.Run(apiserver.NewAPIServerCommand()) }},
	"kube-controller-manager": {true, func() int { return cli.Run(controllermanager.NewControllerManagerCommand()) }},
	"kube-scheduler":          {true, func() int { return cli.Run(scheduler.NewSchedulerCommand()) }},
	"kubectl":                 {false, func() int { return cli.Run(kubectlcmd.NewDefaultKubectlCommand()) }},
	"kwok":                    {true, runKwok},
}

func main() {
	name := filepath.Base(os.Args[0])
	if _, known := programs[name]; !known && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		name = os.Args[0]
	}
	chosen, known := programs[name]
	if !known {
		names := slices.Sorted(maps.Keys(programs))
		fmt.Fprintf(os.Stderr, "no program %q in here; there are: %s\n", name, strings.Join(names, ", "))
		os.Exit(2)
	}
	if chosen.server && os.Getenv("COOPER_EXIT_WITH_STDIN") == "1" {
		go exitWithStdin()
	}
	os.Exit(chosen.run())
}

// exitWithStdin ends the process, without tidying up, when whoever started it is gone: the state is thrown away anyway.
func exitWithStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func runEtcd() int {
	etcdmain.Main(os.Args)
	return 0
}

// runKwok gives kwok a flag set of its own: the Kubernetes components have put a --version of another kind in the global one.
func runKwok() int {
	pflag.CommandLine = pflag.NewFlagSet("kwok", pflag.ContinueOnError)
	global := pflag.NewFlagSet("global", pflag.ContinueOnError)
	global.ParseErrorsAllowlist.UnknownFlags = true
	global.Usage = func() {}
	if err := startKwok(signals.SetupSignalContext(), global); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func startKwok(ctx context.Context, global *pflag.FlagSet) error {
	ctx, _ = kwoklog.InitFlags(ctx, global)
	ctx, err := kwokconfig.InitFlags(ctx, global)
	if err != nil {
		return err
	}
	var command *cobra.Command = kwokcmd.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(global)
	return command.ExecuteContext(ctx)
}
