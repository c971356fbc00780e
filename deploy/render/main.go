// Renders the chart in ../chart, once for each values file ../rendered/NAME/values.yaml, into manifests.yaml beside it.
//
//	go run .          writes them
//	go run . --check  writes nothing and fails where one is out of date
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	check := flag.Bool("check", false, "write nothing and fail where a file is out of date")
	chart := flag.String("chart", "../chart", "the chart's folder")
	rendered := flag.String("rendered", "../rendered", "the folder of the variants")
	flag.Parse()
	if err := run(*chart, *rendered, *check); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func run(chart, rendered string, check bool) error {
	variants, err := filepath.Glob(filepath.Join(rendered, "*", "values.yaml"))
	if err != nil {
		return err
	}
	if len(variants) == 0 {
		return fmt.Errorf("no %s/*/values.yaml: start it in deploy/render, or through deploy/render.sh", rendered)
	}
	for _, values := range variants {
		manifests, err := render(chart, values)
		if err != nil {
			return fmt.Errorf("%s: %w", values, err)
		}
		path := filepath.Join(filepath.Dir(values), "manifests.yaml")
		if check {
			if was, err := os.ReadFile(path); err != nil || !bytes.Equal(was, manifests) {
				return fmt.Errorf("%s is not what the chart gives: run deploy/render.sh and look at the difference", path)
			}
			continue
		}
		if err := os.WriteFile(path, manifests, 0o644); err != nil {
			return err
		}
	}
	return nil
}
