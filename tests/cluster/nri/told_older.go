//go:build older

package main

import (
	"context"

	"github.com/containerd/nri/pkg/adaptation"
)

// told relays an event as containerd 1.7 to 2.2 do: as a change of state.
func told(end *adaptation.Adaptation, q question) error {
	if q.Do == "run" {
		return end.RunPodSandbox(context.Background(), &adaptation.StateChangeEvent{Pod: q.Pod})
	}
	return end.StopPodSandbox(context.Background(), &adaptation.StateChangeEvent{Pod: q.Pod})
}
