// Program nri is a container runtime's end of NRI: containerd's own code, without the containers.
//
// "nri SOCKET MILLISECONDS" accepts plugins at SOCKET and gives each so long for an answer. A line of JSON on standard
// input is an event of a pod sandbox, the line on standard output that follows it what came of it; a line is written as
// well each time that a plugin was told of the sandboxes that there are.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/containerd/nri/pkg/adaptation"
	"github.com/containerd/nri/pkg/api"
)

type question struct {
	Do  string          `json:"do"`
	Pod *api.PodSandbox `json:"pod"`
}

type answer struct {
	Synchronized bool   `json:"synchronized,omitempty"`
	Error        string `json:"error,omitempty"`
}

type runtime struct {
	sync.Mutex
	pods map[string]*api.PodSandbox
}

func (r *runtime) write(a answer) {
	r.Lock()
	defer r.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		log.Fatal(err)
	}
}

func (r *runtime) listed() (pods []*api.PodSandbox) {
	r.Lock()
	defer r.Unlock()
	for _, pod := range r.pods {
		pods = append(pods, pod)
	}
	return pods
}

func (r *runtime) synchronize(ctx context.Context, told adaptation.SyncCB) error {
	_, err := told(ctx, r.listed(), nil)
	r.write(answer{true, text(err)})
	return err
}

func (r *runtime) note(q question, err error) {
	r.Lock()
	defer r.Unlock()
	if q.Do == "run" && err == nil {
		r.pods[q.Pod.Uid] = q.Pod
	} else if q.Do == "stop" {
		delete(r.pods, q.Pod.Uid)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func update(context.Context, []*api.ContainerUpdate) ([]*api.ContainerUpdate, error) {
	return nil, nil
}

func main() {
	socket := os.Args[1]
	milliseconds, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	adaptation.SetPluginRequestTimeout(time.Duration(milliseconds) * time.Millisecond)
	r := &runtime{pods: map[string]*api.PodSandbox{}}
	nothing := filepath.Join(filepath.Dir(socket), "nothing")
	end, err := adaptation.New("tests", "1", r.synchronize, update, adaptation.WithSocketPath(socket),
		adaptation.WithPluginPath(nothing), adaptation.WithPluginConfigPath(nothing))
	if err == nil {
		err = end.Start()
	}
	if err != nil {
		log.Fatal(err)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			log.Fatal(err)
		}
		err := told(end, q)
		r.note(q, err)
		r.write(answer{Error: text(err)})
	}
	end.Stop()
}
