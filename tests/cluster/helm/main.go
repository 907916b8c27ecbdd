// Program helm is Helm 4 as its makers build it: what an admin runs with Proa's chart.
package main

import (
	"errors"
	"log/slog"
	"os"

	"helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
)

func main() {
	// The field manager of Helm's own binary, cmd/helm.
	kube.ManagedFieldsManager = "helm"
	os.Exit(run())
}

func run() int {
	command, err := cmd.NewRootCmd(os.Stdout, os.Args[1:], cmd.SetupLogging)
	if err != nil {
		slog.Error("helm did not start", slog.Any("error", err))
		return 1
	}
	err = command.Execute()
	var failed cmd.CommandError
	switch {
	case errors.As(err, &failed):
		return failed.ExitCode
	case err != nil:
		return 1
	}
	return 0
}
