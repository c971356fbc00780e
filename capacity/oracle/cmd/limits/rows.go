package main

import (
	"fmt"
	"maps"
	"slices"
	_ "unsafe" // for go:linkname

	_ "capacity-oracle/internal/quiet"

	cni "github.com/aws/amazon-vpc-cni-k8s/pkg/vpc"
	vrc "github.com/aws/amazon-vpc-resource-controller-k8s/pkg/aws/vpc"
)

// The CNI exports a look-up by type and no list of types; this is its table itself.
//
//go:linkname cniLimits github.com/aws/amazon-vpc-cni-k8s/pkg/vpc.instanceNetworkingLimits
var cniLimits map[string]cni.InstanceTypeLimits

type row struct {
	name       string
	enis       int64 // on the default network card
	ipv4       int
	hypervisor string
	bareMetal  bool
	cards      int
	branch     *branch // nil where the resource controller does not know the type
	source     string
}

type branch struct {
	max      int
	trunking bool
}

// collect makes one row of every type that either table knows, sorted by name. The CNI's table wins.
func collect() ([]row, error) {
	names := maps.Clone(vrcNames())
	for name := range cniLimits {
		names[name] = true
	}
	rows := make([]row, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		r, err := rowOf(name)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func vrcNames() map[string]bool {
	names := make(map[string]bool)
	for name := range vrc.Limits {
		names[name] = true
	}
	return names
}

func rowOf(name string) (row, error) {
	limits, known := cni.GetInstance(name)
	other := vrc.Limits[name]
	var r row
	switch {
	case known:
		r = row{name, int64(limits.ENILimit), limits.IPv4Limit, limits.HypervisorType, limits.IsBareMetal,
			len(limits.NetworkCards), nil, "CniTable"}
	case other != nil:
		enis, err := onDefaultCard(name, other)
		if err != nil {
			return row{}, err
		}
		hypervisor := other.Hypervisor
		if hypervisor == "" {
			hypervisor = "unknown"
		}
		r = row{name, enis, other.IPv4PerInterface, hypervisor, other.IsBareMetal, len(other.NetworkCards), nil, "VrcTable"}
	}
	if other != nil {
		r.branch = &branch{other.BranchInterface, other.IsTrunkingCompatible}
	}
	return r, nil
}

// onDefaultCard is the limit that counts for pods. Interface is the sum over all cards.
func onDefaultCard(name string, limits *vrc.VPCLimits) (int64, error) {
	for _, card := range limits.NetworkCards {
		if card.NetworkCardIndex == int64(limits.DefaultNetworkCardIndex) {
			return card.MaximumNetworkInterfaces, nil
		}
	}
	return 0, fmt.Errorf("%s: the resource controller's table has no card %d", name, limits.DefaultNetworkCardIndex)
}

func summary(rows []row) string {
	var fromCNI, fromVRC, branches, cards int
	for _, r := range rows {
		if r.source == "CniTable" {
			fromCNI++
		} else {
			fromVRC++
		}
		if r.branch != nil {
			branches++
		}
		if r.cards > 1 {
			cards++
		}
	}
	return fmt.Sprintf("%d types, %d from the CNI, %d only from the resource controller, "+
		"%d with branch limits, %d with several cards", len(rows), fromCNI, fromVRC, branches, cards)
}
