//go:build !older

package main

import (
	"context"

	"github.com/containerd/nri/pkg/adaptation"
)

// told relays an event as containerd 2.3 and newer do: each by a call of its own.
func told(end *adaptation.Adaptation, q question) error {
	if q.Do == "run" {
		return end.RunPodSandbox(context.Background(), &adaptation.RunPodSandboxRequest{Pod: q.Pod})
	}
	return end.StopPodSandbox(context.Background(), &adaptation.StopPodSandboxRequest{Pod: q.Pod})
}
