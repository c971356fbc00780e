// bind stands in for kube-scheduler on the lab, which schedules nothing: it asks the extender about each waiting pod, binds it, or
// says in the pod's status why not. It knows node selectors, taints and max-pods; CPU and memory it does not look at.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	period = 500 * time.Millisecond
	// kube-scheduler's longest back-off.
	backOff = 10 * time.Second
)

type object struct {
	Metadata struct {
		Name, Namespace, UID, CreationTimestamp string
		DeletionTimestamp                       *string
		Labels, Annotations                     map[string]string
	}
	Spec struct {
		NodeName      string
		NodeSelector  map[string]string
		Unschedulable bool
		Taints        []struct{ Effect string }
	}
	Status struct {
		Phase       string
		Allocatable map[string]string
	}
	whole json.RawMessage
}

// tried is when a pod did not fit, and its annotations at that time: the extender wakes a pod by one.
type tried struct {
	at          time.Time
	annotations string
}

type binder struct {
	api, extender string
	tried         map[string]tried
}

func main() {
	api := flag.String("api", "", "URL of the Kubernetes API, plain HTTP")
	extender := flag.String("extender", "", "HOST:PORT of the extender")
	flag.Parse()
	if *api == "" || *extender == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "bind: -api and -extender are needed")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := binder{api: *api, extender: "http://" + *extender + "/v1/filter", tried: map[string]tried{}}
	for ctx.Err() == nil {
		if err := b.round(ctx); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "bind:", err)
		}
		time.Sleep(period)
	}
}

func (b *binder) round(ctx context.Context) error {
	nodes, err := b.list(ctx, "nodes")
	if err != nil {
		return err
	}
	pods, err := b.list(ctx, "pods")
	if err != nil {
		return err
	}
	held := map[string]int{}
	var waiting []object
	for _, pod := range pods {
		switch {
		case pod.Status.Phase == "Succeeded" || pod.Status.Phase == "Failed":
		case pod.Spec.NodeName != "":
			held[pod.Spec.NodeName]++
		case pod.Metadata.DeletionTimestamp == nil && b.due(pod):
			waiting = append(waiting, pod)
		}
	}
	slices.SortStableFunc(waiting, func(x, y object) int {
		return strings.Compare(x.Metadata.CreationTimestamp, y.Metadata.CreationTimestamp)
	})
	for _, pod := range waiting {
		if err := b.schedule(ctx, pod, nodes, held); err != nil {
			return fmt.Errorf("pod %s: %w", pod.Metadata.Name, err)
		}
	}
	return nil
}

func (b *binder) due(pod object) bool {
	before, there := b.tried[pod.Metadata.UID]
	return !there || time.Since(before.at) > backOff || fmt.Sprint(pod.Metadata.Annotations) != before.annotations
}

func (b *binder) schedule(ctx context.Context, pod object, nodes []object, held map[string]int) error {
	reasons := map[string]int{}
	var names []string
	for _, node := range nodes {
		if reason := rejects(pod, node, held[node.Metadata.Name]); reason != "" {
			reasons[reason]++
		} else {
			names = append(names, node.Metadata.Name)
		}
	}
	if len(names) > 0 {
		var answer struct {
			NodeNames                               []string
			FailedNodes, FailedAndUnresolvableNodes map[string]string
			Error                                   string
		}
		arguments := map[string]any{"Pod": pod.whole, "NodeNames": names}
		if err := call(ctx, http.MethodPost, b.extender, "application/json", arguments, &answer); err != nil {
			return err
		}
		if answer.Error != "" {
			return fmt.Errorf("extender: %s", answer.Error)
		}
		for _, failed := range []map[string]string{answer.FailedNodes, answer.FailedAndUnresolvableNodes} {
			for _, reason := range failed {
				reasons[reason]++
			}
		}
		names = answer.NodeNames
	}
	path := fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s", b.api, pod.Metadata.Namespace, pod.Metadata.Name)
	if len(names) == 0 {
		b.tried[pod.Metadata.UID] = tried{time.Now(), fmt.Sprint(pod.Metadata.Annotations)}
		condition := map[string]string{
			"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": fitError(len(nodes), reasons),
		}
		patch := map[string]any{"status": map[string]any{"conditions": []any{condition}}}
		return call(ctx, http.MethodPatch, path+"/status", "application/strategic-merge-patch+json", patch, nil)
	}
	node := slices.MinFunc(names, func(x, y string) int { return cmp.Compare(held[x], held[y]) })
	binding := map[string]any{
		"apiVersion": "v1", "kind": "Binding",
		"metadata": map[string]string{"name": pod.Metadata.Name, "namespace": pod.Metadata.Namespace, "uid": pod.Metadata.UID},
		"target":   map[string]string{"apiVersion": "v1", "kind": "Node", "name": node},
	}
	held[node]++
	return call(ctx, http.MethodPost, path+"/binding", "application/json", binding, nil)
}

// rejects says in kube-scheduler's words why a node is none for the pod; the lab's pods tolerate nothing.
func rejects(pod, node object, held int) string {
	for key, value := range pod.Spec.NodeSelector {
		if node.Metadata.Labels[key] != value {
			return "node(s) didn't match Pod's node affinity/selector"
		}
	}
	if node.Spec.Unschedulable {
		return "node(s) were unschedulable"
	}
	for _, taint := range node.Spec.Taints {
		if taint.Effect == "NoSchedule" || taint.Effect == "NoExecute" {
			return "node(s) had untolerated taint(s)"
		}
	}
	if most, err := strconv.Atoi(node.Status.Allocatable["pods"]); err == nil && held >= most {
		return "Too many pods"
	}
	return ""
}

// fitError is kube-scheduler's message: the advisor reads from it what keeps a pod waiting.
func fitError(nodes int, reasons map[string]int) string {
	var parts []string
	for reason, count := range reasons {
		parts = append(parts, fmt.Sprintf("%d %s", count, reason))
	}
	slices.Sort(parts)
	return fmt.Sprintf("0/%d nodes are available: %s.", nodes, strings.Join(parts, ", "))
}

func (b *binder) list(ctx context.Context, kind string) ([]object, error) {
	var answer struct{ Items []json.RawMessage }
	if err := call(ctx, http.MethodGet, b.api+"/api/v1/"+kind, "", nil, &answer); err != nil {
		return nil, err
	}
	objects := make([]object, len(answer.Items))
	for i, item := range answer.Items {
		if err := json.Unmarshal(item, &objects[i]); err != nil {
			return nil, err
		}
		objects[i].whole = item
	}
	return objects, nil
}

func call(ctx context.Context, method, url, contentType string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %.200s", method, url, response.Status, got)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(got, answer)
}
