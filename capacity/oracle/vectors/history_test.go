package vectors

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	_ "capacity-oracle/internal/quiet"

	"github.com/aws/amazon-vpc-cni-k8s/pkg/ipamd/datastore"
)

// history is one data store and what the generator remembers of it in order to pick operations that mostly make sense.
type history struct {
	t        *testing.T
	w        *bufio.Writer
	rng      *rand.Rand
	store    *datastore.DataStore
	pd       bool
	cooldown time.Duration
	start    time.Time
	created  time.Time // of the last ENI
	released time.Time // of the last address
	enis     []int     // in the store, unless the CNI removed them by itself
	blocks   []placed  // likewise
	held     []int     // pods that got an address
	nextENI  int
	nextPod  int
	nextHost map[int]int // next unused block number per ENI, separately for /28s (even keys) and /32s (odd keys)
}

type placed struct {
	eni  int
	cidr string
}

func newHistory(t *testing.T, w *bufio.Writer, mode string, n int, rng *rand.Rand) *history {
	secs := []int{30, 30, 10, 1, 0}[rng.IntN(5)]
	os.Setenv("IP_COOLDOWN_PERIOD", strconv.Itoa(secs))
	fmt.Fprintf(w, "h %d %s %d\n", n, mode, secs)
	pd := mode == "pd"
	return &history{
		t: t, w: w, rng: rng, pd: pd, cooldown: time.Duration(secs) * time.Second, start: time.Now(), nextHost: make(map[int]int),
		store: datastore.NewDataStore(silent{}, datastore.NullCheckpoint{}, pd, 0),
	}
}

func (h *history) run() {
	h.addENI()
	for range 1 + h.rng.IntN(4) {
		h.addBlock()
	}
	for range 20 + h.rng.IntN(60) {
		h.step()
	}
	h.pass(6 * time.Second) // past the last clean-up of an excluded ENI, which would outlive the fake clock
	h.counters()
	h.dump()
}

// step does one operation, or a burst of one kind.
func (h *history) step() {
	switch p := h.rng.IntN(100); {
	case p < 6 || len(h.enis) == 0:
		h.addENI()
	case p < 22 || len(h.blocks) == 0:
		h.addBlock()
	case p < 44:
		for n := h.burst(); n > 0 && h.assign(); n-- {
		}
	case p < 60:
		for n := h.burst(); n > 0 && h.release(); n-- {
		}
	case p < 72:
		h.pass(h.wait())
	case p < 77:
		h.removeBlock()
	case p < 79:
		h.removeENI()
	case p < 85:
		h.removeUnusedENI()
	case p < 89:
		h.exclude()
	case p < 91:
		h.freeable()
	case p < 93:
		h.allocatable()
	case p < 97:
		h.candidates()
	case p < 99:
		h.counters()
	default:
		h.dump()
	}
}

// burst is long now and then, so that the addresses of a prefix run out.
func (h *history) burst() int {
	if h.rng.IntN(6) == 0 {
		return 1 + h.rng.IntN(12)
	}
	return 1
}

// wait is a time that often leads just up to, to and past the next instant at which a rule changes its answer.
func (h *history) wait() time.Duration {
	if h.rng.IntN(3) > 0 {
		marks := []time.Time{
			h.created.Add(time.Minute), h.released.Add(h.cooldown), h.released.Add(5 * time.Second),
		}
		mark := marks[h.rng.IntN(len(marks))].Add(time.Duration(h.rng.IntN(3)-1) * time.Millisecond)
		if left := time.Until(mark); left > 0 {
			return left
		}
	}
	ms := time.Millisecond
	waits := []time.Duration{ms, 500 * ms, time.Second, 2500 * ms, 20 * time.Second, time.Minute}
	return waits[h.rng.IntN(len(waits))]
}

func (h *history) pass(wait time.Duration) {
	time.Sleep(wait)
	synctest.Wait() // the store's own clean-up of excluded ENIs runs first
	fmt.Fprintf(h.w, "t %d\n", wait.Milliseconds())
}

// pick is one of the known, or rarely one that was never there.
func (h *history) pick(known []int, strange int) int {
	if len(known) == 0 || h.rng.IntN(25) == 0 {
		return strange
	}
	return known[h.rng.IntN(len(known))]
}

func (h *history) pickENI() int {
	return h.pick(h.enis, 99)
}

func flag01(b bool) int {
	if b {
		return 1
	}
	return 0
}
