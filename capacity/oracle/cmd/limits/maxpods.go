package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

type maxPodsRow struct {
	name string
	pods int
}

// readMaxPods reads misc/eni-max-pods.txt of the CNI's module, which is no Go package.
func readMaxPods(version string) ([]maxPodsRow, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", cniModule).Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m %s@%s: %w", cniModule, version, err)
	}
	path := filepath.Join(strings.TrimSpace(string(dir)), "misc", "eni-max-pods.txt")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rows []maxPodsRow
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, number, _ := strings.Cut(line, " ")
		pods, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", path, line, err)
		}
		rows = append(rows, maxPodsRow{name, pods})
	}
	return rows, lines.Err()
}

// compareMaxPods makes sure that the CNI's own two tables agree, type by type.
func compareMaxPods(rows []row, maxPods []maxPodsRow) error {
	want := make(map[string]int)
	for _, r := range maxPods {
		want[r.name] = r.pods
	}
	compared := 0
	for _, r := range rows {
		if r.source != "CniTable" {
			continue
		}
		pods, known := want[r.name]
		if have := int(r.enis)*(r.ipv4-1) + 2; !known || have != pods {
			return fmt.Errorf("%s: %d pods by the limits, %d (known: %t) in eni-max-pods.txt", r.name, have, pods, known)
		}
		compared++
	}
	if compared != len(maxPods) {
		return fmt.Errorf("eni-max-pods.txt has %d types, the limits %d", len(maxPods), compared)
	}
	fmt.Printf("limits: max-pods rows compared: %d\n", compared)
	return nil
}

func renderMaxPods(rows []maxPodsRow, version string) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# misc/eni-max-pods.txt of %s %s, by capacity/oracle/cmd/limits\n", cniModule, version)
	for _, r := range rows {
		fmt.Fprintf(&out, "%s %d\n", r.name, r.pods)
	}
	return out.Bytes()
}
