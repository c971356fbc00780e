package vectors

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/aws/amazon-vpc-cni-k8s/pkg/ipamd/datastore"
)

// changed writes one operation, its result and the pool's numbers after it.
func (h *history) changed(result, format string, args ...any) {
	stats := h.store.GetIPStats("4")
	fmt.Fprintf(h.w, "%s > %s | %d %d %d %d\n", fmt.Sprintf(format, args...), result,
		stats.TotalIPs, stats.TotalPrefixes, stats.AssignedIPs, stats.CooldownIPs)
}

// result names the outcome; any other error of the store ends the run.
func (h *history) result(err error) string {
	if err == nil {
		return "ok"
	}
	// AddIPv4CidrToStore and ReadBackingStore make errors of their own; only the text tells them apart.
	switch text := err.Error(); {
	case strings.Contains(text, "unknown ENI"):
		return "unknown-eni"
	case text == datastore.DuplicatedENIError, text == datastore.IPAlreadyInStoreError:
		return "duplicate"
	case text == datastore.UnknownIPError:
		return "unknown-block"
	case text == datastore.IPInUseError, text == datastore.ENIInUseError:
		return "in-use"
	}
	h.t.Fatalf("unexpected error of the data store: %v", err)
	return ""
}

func (h *history) addENI() {
	id, flags := h.nextENI+1, "-"
	switch {
	case h.nextENI == 0:
		flags = "p"
	case h.rng.IntN(12) == 0:
		flags = "t"
	case h.rng.IntN(12) == 0:
		flags = "f"
	}
	if len(h.enis) > 3 || h.rng.IntN(20) == 0 {
		id = h.pickENI()
	}
	has := func(flag string) bool { return strings.Contains(flags, flag) }
	err := h.store.AddENI(eniName(id), id-1, has("p"), has("t"), has("f"), 0, "subnet-1")
	if err == nil {
		h.enis = append(h.enis, id)
		h.created = time.Now()
		h.nextENI = max(h.nextENI, id%99)
	}
	h.changed(h.result(err), "E %d %d %s", id, id-1, flags)
}

func (h *history) exclude() {
	id, excluded := h.pickENI(), h.rng.IntN(3) > 0
	err := h.store.SetENIExcludedForPodIPs(eniName(id), excluded)
	h.changed(h.result(err), "X %d %d", id, flag01(excluded))
}

func (h *history) removeENI() {
	id, force := h.pickENI(), h.rng.IntN(2) == 0
	err := h.store.RemoveENIFromDataStore(eniName(id), force)
	if err == nil {
		h.forgetENI(id)
	}
	h.changed(h.result(err), "R %d %d", id, flag01(force))
}

func (h *history) removeUnusedENI() {
	targets := []int{0, 0, 0, 1, 2, 3, 5, 8, 16, 17, 30}
	pick := func() int { return targets[h.rng.IntN(len(targets))] }
	warm, minimum, prefix := pick(), pick(), pick()%4
	name, result := h.store.RemoveUnusedENIFromStore(warm, minimum, prefix), "none"
	if name != "" {
		result = strings.TrimPrefix(name, "eni-")
		h.forgetENI(eniNumber(name))
	}
	h.changed(result, "U %d %d %d", warm, minimum, prefix)
}

func (h *history) forgetENI(id int) {
	h.enis = slices.DeleteFunc(h.enis, func(other int) bool { return other == id })
	h.blocks = slices.DeleteFunc(h.blocks, func(block placed) bool { return block.eni == id })
}

// addBlock adds a block that no ENI has had yet, or one that was there before: EC2 never has an address on two ENIs.
func (h *history) addBlock() {
	id := h.pickENI()
	prefix := h.pd != (h.rng.IntN(8) == 0) // leftovers of the other mode now and then
	key := id*2 + flag01(!prefix)
	number := h.nextHost[key]
	if number > 0 && (number > 7 || h.rng.IntN(8) == 0) {
		number = h.rng.IntN(number)
	} else {
		h.nextHost[key] = number + 1
	}
	cidr := fmt.Sprintf("10.0.%d.%d/32", id, 128+number)
	if prefix {
		cidr = fmt.Sprintf("10.0.%d.%d/28", id, 16*number)
	}
	err := h.store.AddIPv4CidrToStore(eniName(id), parse(cidr), prefix)
	if err == nil {
		h.blocks = append(h.blocks, placed{id, cidr})
	}
	h.changed(h.result(err), "C %d %s", id, cidr)
}

func (h *history) pickBlock() placed {
	if len(h.blocks) == 0 || h.rng.IntN(25) == 0 {
		return placed{h.pickENI(), "10.9.9.0/28"}
	}
	return h.blocks[h.rng.IntN(len(h.blocks))]
}

func (h *history) removeBlock() {
	block, force := h.pickBlock(), h.rng.IntN(4) == 0
	err := h.store.DelIPv4CidrFromStore(eniName(block.eni), parse(block.cidr), force)
	if err == nil {
		h.blocks = slices.DeleteFunc(h.blocks, func(other placed) bool { return other == block })
	}
	h.changed(h.result(err), "D %d %s %d", block.eni, block.cidr, flag01(force))
}

// assign tells whether the pod got an address.
func (h *history) assign() bool {
	pod := h.nextPod
	if h.rng.IntN(20) == 0 {
		pod = h.pick(h.held, pod)
	}
	h.nextPod = max(h.nextPod, pod+1)
	ip, _, _, err := h.store.AssignPodIPv4Address(podKey(pod), datastore.IPAMMetadata{})
	switch {
	case err == nil:
		h.held = append(h.held, pod)
	case errors.Is(err, datastore.ErrNoAvailableIPInDataStore):
		ip = "none"
	default:
		h.t.Fatal(err)
	}
	h.changed(ip, "a %d", pod)
	return err == nil
}

// release tells whether the pod had one.
func (h *history) release() bool {
	pod := h.pick(h.held, 9999)
	h.held = slices.DeleteFunc(h.held, func(other int) bool { return other == pod })
	_, ip, _, _, _, err := h.store.UnassignPodIPAddress(podKey(pod))
	switch {
	case errors.Is(err, datastore.ErrUnknownPod):
		ip = "unknown-pod"
	case err != nil:
		h.t.Fatal(err)
	default:
		h.released = time.Now()
	}
	h.changed(ip, "r %d", pod)
	return err == nil
}

func parse(cidr string) net.IPNet {
	_, block, err := net.ParseCIDR(cidr)
	if err != nil {
		panic(err)
	}
	return *block
}
