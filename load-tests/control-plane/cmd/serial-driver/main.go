// Calls extenders the way kube-scheduler does: with its own client, one call after the other.
//
// Orders come as JSON lines on stdin, each is answered by one JSON line on stdout: first a setup, then blocks of calls. Who
// starts it decides which extender is called when, so that several can take turns in one process.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	v1 "k8s.io/api/core/v1"
)

// order is one line of stdin: exactly one of its fields is set.
type order struct {
	Setup *setup `json:"setup"`
	Block *block `json:"block"`
}

// setup says what the calls are about.
type setup struct {
	// Nodes of the largest cluster; a smaller one is a prefix of it.
	Nodes []string `json:"nodes"`
	// Pods that are scheduled, by what a block calls them; each time under another UID.
	Pods map[string]*v1.Pod `json:"pods"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "serial-driver:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	orders := json.NewDecoder(bufio.NewReader(in))
	buffered := bufio.NewWriter(out)
	results := json.NewEncoder(buffered)
	var d *driver
	for {
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("order on stdin: %w", err)
		}
		var result any = struct{}{}
		var err error
		switch {
		case o.Setup != nil:
			d, err = newDriver(*o.Setup)
		case o.Block != nil && d != nil:
			result, err = d.run(*o.Block)
		default:
			err = errors.New("order on stdin: neither a setup nor, after one, a block")
		}
		if err != nil {
			return err
		}
		if err := results.Encode(result); err != nil {
			return err
		}
		if err := buffered.Flush(); err != nil {
			return err
		}
	}
}
