package vectors

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
)

var (
	out       = flag.String("out", "", "file to write the vectors to")
	seed      = flag.Uint64("seed", 1, "seed of the operations")
	histories = flag.Int("histories", 2000, "histories per mode")
)

func TestGenerate(t *testing.T) {
	if *out == "" {
		t.Skip("nothing to write: give -args -out FILE")
	}
	file, err := os.Create(*out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	fmt.Fprintf(w, "# github.com/aws/amazon-vpc-cni-k8s %s, seed %d; format: capacity/oracle/vectors/doc.go\n",
		cniVersion(t), *seed)
	for _, mode := range []string{"sip", "pd"} {
		for n := range *histories {
			synctest.Test(t, func(t *testing.T) {
				newHistory(t, w, mode, n, rand.New(rand.NewPCG(*seed, uint64(n)))).run()
			})
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

// cniVersion asks the go command: a test binary does not know its modules.
func cniVersion(t *testing.T) string {
	version, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "github.com/aws/amazon-vpc-cni-k8s").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	return strings.TrimSpace(string(version))
}
