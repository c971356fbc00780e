package vectors

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/amazon-vpc-cni-k8s/pkg/ipamd/datastore"
)

func (h *history) freeable() {
	id := h.pickENI()
	var blocks, halves []net.IPNet
	for _, block := range h.store.FindFreeableCidrs(eniName(id)) {
		blocks = append(blocks, block.Cidr)
	}
	halves = append(h.store.FreeableIPs(eniName(id)), h.store.FreeablePrefixes(eniName(id))...)
	if names(blocks) != names(halves) {
		h.t.Fatalf("FindFreeableCidrs has %s, FreeableIPs and FreeablePrefixes together %s", names(blocks), names(halves))
	}
	fmt.Fprintf(h.w, "f %d > %s\n", id, names(blocks))
}

func (h *history) allocatable() {
	slots, skip := 1+h.rng.IntN(6), h.rng.IntN(2) == 0
	var ids []int
	for _, eni := range h.store.GetAllocatableENIs(slots, skip) {
		ids = append(ids, eniNumber(eni.ID))
	}
	slices.Sort(ids)
	var texts []string
	for _, id := range ids {
		texts = append(texts, strconv.Itoa(id))
	}
	fmt.Fprintf(h.w, "g %d %d > %s\n", slots, flag01(skip), list(texts))
}

func (h *history) counters() {
	infos := h.store.GetENIInfos()
	fmt.Fprintf(h.w, "q > %d %d %d %d\n", h.store.GetFreePrefixes(), flag01(h.store.CheckFreeableENIexists()),
		infos.TotalIPs, infos.AssignedIPs)
}

// candidates finds out what an ADD may take from a block by asking copies of it until it is as good as sure that none
// is left: among n records an address that can be taken is taken with probability 1/(2n+8) or more, because a Go map is
// walked from a random slot on.
func (h *history) candidates() {
	placed := h.pickBlock()
	eni, known := h.store.GetENIInfos().ENIs[eniName(placed.eni)]
	block := eni.AvailableIPv4Cidrs[placed.cidr]
	if !known || block == nil {
		return
	}
	found := make(map[string]bool)
	for range 64 * (len(block.IPAddresses) + 1) {
		if ip, ok := assignFromCopy(h, block, eni.IsExcludedForPodIPs); ok {
			found[ip] = true
		}
	}
	ips := slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		return bytes.Compare(net.ParseIP(a), net.ParseIP(b))
	})
	fmt.Fprintf(h.w, "c %d %s > %s\n", placed.eni, placed.cidr, list(ips))
}

// assignFromCopy assigns an address in a store that has a copy of this block and nothing else.
func assignFromCopy(h *history, block *datastore.CidrInfo, excluded bool) (string, bool) {
	store := datastore.NewDataStore(silent{}, datastore.NullCheckpoint{}, h.pd, 0)
	h.must(store.AddENI("copy", 1, false, false, false, 0, "subnet-1"))
	h.must(store.AddIPv4CidrToStore("copy", block.Cidr, block.IsPrefix))
	into := store.GetAllocatableENIs(2, false)[0].AvailableIPv4Cidrs[block.Cidr.String()]
	for ip, address := range block.IPAddresses {
		record := *address
		into.IPAddresses[ip] = &record
	}
	h.must(store.SetENIExcludedForPodIPs("copy", excluded))
	ip, _, _, err := store.AssignPodIPv4Address(podKey(-1), datastore.IPAMMetadata{})
	return ip, err == nil
}

func (h *history) dump() {
	infos := h.store.GetENIInfos()
	var enis []string
	for _, name := range slices.Sorted(maps.Keys(infos.ENIs)) {
		var blocks []net.IPNet
		for _, block := range infos.ENIs[name].AvailableIPv4Cidrs {
			blocks = append(blocks, block.Cidr)
		}
		slices.SortFunc(blocks, byAddress)
		var texts []string
		for _, block := range blocks {
			texts = append(texts, h.records(infos.ENIs[name].AvailableIPv4Cidrs[block.String()]))
		}
		enis = append(enis, fmt.Sprintf("%d[%s]", eniNumber(name), strings.Join(texts, ",")))
	}
	fmt.Fprintf(h.w, "d > %s\n", list(enis))
}

func (h *history) records(block *datastore.CidrInfo) string {
	ips := slices.SortedFunc(maps.Keys(block.IPAddresses), func(a, b string) int {
		return bytes.Compare(net.ParseIP(a), net.ParseIP(b))
	})
	var texts []string
	for _, ip := range ips {
		if address := block.IPAddresses[ip]; address.Assigned() {
			texts = append(texts, ip+"="+strings.ReplaceAll(address.IPAMKey.ContainerID, "-", ""))
		} else {
			texts = append(texts, fmt.Sprintf("%s=rel%d", ip, address.UnassignedTime.Sub(h.start).Milliseconds()))
		}
	}
	return block.Cidr.String() + "{" + strings.Join(texts, ",") + "}"
}

func (h *history) must(err error) {
	if err != nil {
		h.t.Fatal(err)
	}
}

func names(blocks []net.IPNet) string {
	slices.SortFunc(blocks, byAddress)
	var texts []string
	for _, block := range blocks {
		texts = append(texts, block.String())
	}
	return list(texts)
}

func byAddress(a, b net.IPNet) int {
	return bytes.Compare(a.IP.To4(), b.IP.To4())
}

func list(texts []string) string {
	if len(texts) == 0 {
		return "-"
	}
	return strings.Join(texts, ",")
}

func eniName(id int) string {
	return fmt.Sprintf("eni-%d", id)
}

func eniNumber(name string) int {
	id, err := strconv.Atoi(strings.TrimPrefix(name, "eni-"))
	if err != nil {
		panic(err)
	}
	return id
}

func podKey(pod int) datastore.IPAMKey {
	return datastore.IPAMKey{NetworkName: "aws-cni", ContainerID: fmt.Sprintf("pod-%d", pod), IfName: "eth0"}
}
