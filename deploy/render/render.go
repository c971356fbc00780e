package main

import (
	"bytes"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
)

// The release as docs/operations.md installs it.
const (
	release   = "headroom"
	namespace = "headroom-system"
)

// kubeVersion is what the manifests are made for, and what the tests run: load-tests/control-plane/go.mod.
const kubeVersion = "v1.36.3"

// render is `helm template headroom CHART --namespace headroom-system --values FILE`, the documents in the order in which Helm installs
// them.
func render(chartDir, valuesFile string) ([]byte, error) {
	values, err := chartutil.ReadValuesFile(valuesFile)
	if err != nil {
		return nil, err
	}
	return renderValues(chartDir, values)
}

func renderValues(chartDir string, values chartutil.Values) ([]byte, error) {
	version, err := chartutil.ParseKubeVersion(kubeVersion)
	if err != nil {
		return nil, err
	}
	return renderFor(chartDir, values, *version)
}

func renderFor(chartDir string, values chartutil.Values, version chartutil.KubeVersion) ([]byte, error) {
	chart, err := loader.Load(chartDir)
	if err != nil {
		return nil, err
	}
	if want := chart.Metadata.KubeVersion; !chartutil.IsCompatibleRange(want, version.Version) {
		return nil, fmt.Errorf("the chart is for Kubernetes %s, not for %s", want, version.Version)
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = version
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, options, capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	if len(hooks) > 0 {
		return nil, fmt.Errorf("hook %s: flat manifests know none", hooks[0].Path)
	}
	var out bytes.Buffer
	for _, manifest := range manifests {
		fmt.Fprintf(&out, "---\n# Source: %s\n%s\n", manifest.Name, strings.TrimSpace(manifest.Content))
	}
	return out.Bytes(), nil
}
