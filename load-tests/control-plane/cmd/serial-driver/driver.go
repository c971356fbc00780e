package main

import (
	"errors"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	schedulerapi "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// block is a number of calls, one after the other.
type block struct {
	// URLPrefix as in KubeSchedulerConfiguration.
	URLPrefix string `json:"url_prefix"`
	// Client tells apart clients, and so connections, to one URL.
	Client string `json:"client"`
	// Pod of the setup.
	Pod string `json:"pod"`
	// Cluster size: the names are taken from so many nodes.
	Cluster int `json:"cluster"`
	// Names per call.
	Names int `json:"names"`
	// Calls to make.
	Calls int `json:"calls"`
	// FirstPod is the number in the first pod's UID.
	FirstPod uint64 `json:"first_pod"`
}

// result of a block.
type result struct {
	// Nanos that each call took, as the caller of Filter sees it.
	Nanos []int64 `json:"nanos"`
	// Shortest and Longest answer in names.
	Shortest int `json:"shortest"`
	Longest  int `json:"longest"`
}

type driver struct {
	nodes   []fwk.NodeInfo
	pods    map[string]*v1.Pod
	clients map[clientKey]*client
}

type clientKey struct{ urlPrefix, name string }

// client of one extender. Its start moves as kube-scheduler's nextStartNodeIndex does.
type client struct {
	extender fwk.Extender
	start    int
}

func newDriver(s setup) (*driver, error) {
	if len(s.Pods) == 0 || len(s.Nodes) == 0 {
		return nil, errors.New("setup: needs nodes and pods")
	}
	nodes := make([]fwk.NodeInfo, 0, len(s.Nodes))
	for _, name := range s.Nodes {
		info := framework.NewNodeInfo()
		info.SetNode(&v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
		nodes = append(nodes, info)
	}
	return &driver{nodes: nodes, pods: s.Pods, clients: map[clientKey]*client{}}, nil
}

func (d *driver) run(b block) (*result, error) {
	if b.Names < 1 || b.Names > b.Cluster || b.Cluster > len(d.nodes) || b.Calls < 1 {
		return nil, fmt.Errorf("block: %d calls with %d names of %d nodes, of %d in the setup", b.Calls, b.Names, b.Cluster, len(d.nodes))
	}
	called := d.pods[b.Pod]
	if called == nil {
		return nil, fmt.Errorf("block: no pod %q in the setup", b.Pod)
	}
	c, err := d.client(b)
	if err != nil {
		return nil, err
	}
	r := &result{Nanos: make([]int64, 0, b.Calls), Shortest: b.Names}
	for i := range b.Calls {
		pod := called.DeepCopy()
		pod.UID = podUID(b.FirstPod + uint64(i))
		nodes := window(d.nodes[:b.Cluster], c.start, b.Names)
		c.start = (c.start + b.Names) % b.Cluster
		began := time.Now()
		passed, _, _, err := c.extender.Filter(pod, nodes)
		took := time.Since(began)
		if err != nil {
			return nil, fmt.Errorf("call %d of %s: %w", i, b.URLPrefix, err)
		}
		r.Nanos = append(r.Nanos, took.Nanoseconds())
		r.Shortest = min(r.Shortest, len(passed))
		r.Longest = max(r.Longest, len(passed))
	}
	return r, nil
}

func (d *driver) client(b block) (*client, error) {
	key := clientKey{b.URLPrefix, b.Client}
	if c, ok := d.clients[key]; ok {
		return c, nil
	}
	extender, err := scheduler.NewHTTPExtender(&schedulerapi.Extender{
		URLPrefix:        b.URLPrefix,
		FilterVerb:       "filter",
		NodeCacheCapable: true,
	})
	if err != nil {
		return nil, err
	}
	c := &client{extender: extender}
	d.clients[key] = c
	return c, nil
}

// window is count nodes from start on, round and round.
func window(nodes []fwk.NodeInfo, start, count int) []fwk.NodeInfo {
	picked := make([]fwk.NodeInfo, 0, count)
	head := nodes[start:min(start+count, len(nodes))]
	picked = append(picked, head...)
	return append(picked, nodes[:count-len(head)]...)
}

// podUID has to match `pod_uid` of the Rust side, which reports the pods' ends.
func podUID(n uint64) types.UID {
	return types.UID(fmt.Sprintf("ca115000-0000-4000-8000-%012x", n))
}
