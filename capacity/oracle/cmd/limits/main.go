// Command limits writes the ENI limits of the CNI's and the VPC resource controller's tables as Rust, one row a line,
// and the CNI's list of max-pods for the tests.
//
//	go run ./cmd/limits           writes ../src/instance/table.rs and ../tests/table/eni-max-pods.txt
//	go run ./cmd/limits --check   fails if they differ from what would be written
//
// Run it in capacity/oracle. To move to other releases: go get the two modules, run it, read the diff.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
)

const (
	cniModule = "github.com/aws/amazon-vpc-cni-k8s"
	vrcModule = "github.com/aws/amazon-vpc-resource-controller-k8s"
)

func main() {
	check := flag.Bool("check", false, "compare with the committed files instead of writing them")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "limits:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	versions, err := moduleVersions(cniModule, vrcModule)
	if err != nil {
		return err
	}
	maxPods, err := readMaxPods(versions[cniModule])
	if err != nil {
		return err
	}
	rows, err := collect()
	if err != nil {
		return err
	}
	if err := compareMaxPods(rows, maxPods); err != nil {
		return err
	}
	files := map[string][]byte{
		filepath.Join("..", "src", "instance", "table.rs"):        renderTable(rows, versions),
		filepath.Join("..", "tests", "table", "eni-max-pods.txt"): renderMaxPods(maxPods, versions[cniModule]),
	}
	for path, want := range files {
		if err := put(path, want, check); err != nil {
			return err
		}
	}
	fmt.Printf("limits: CNI %s, resource controller %s: %s\n", versions[cniModule], versions[vrcModule], summary(rows))
	return nil
}

// put writes the file, or compares it.
func put(path string, want []byte, check bool) error {
	if !check {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, want, 0o644)
	}
	have, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%w: run 'go run ./cmd/limits' in capacity/oracle and commit the result", err)
	}
	if !bytes.Equal(have, want) {
		return fmt.Errorf("%s is stale (first difference in line %d): run 'go run ./cmd/limits' in capacity/oracle "+
			"and commit the result", path, firstDifference(have, want))
	}
	return nil
}

func firstDifference(a, b []byte) int {
	line := 1
	for i := 0; i < len(a) && i < len(b) && a[i] == b[i]; i++ {
		if a[i] == '\n' {
			line++
		}
	}
	return line
}

// moduleVersions tells which releases this program was built with.
func moduleVersions(paths ...string) (map[string]string, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil, fmt.Errorf("no build information: build this program in module mode")
	}
	versions := make(map[string]string)
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		versions[dep.Path] = dep.Version
	}
	for _, path := range paths {
		if versions[path] == "" {
			return nil, fmt.Errorf("module %s is not part of this program", path)
		}
	}
	return versions, nil
}
