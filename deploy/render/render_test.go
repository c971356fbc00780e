package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"sigs.k8s.io/yaml"
)

const chartDir = "../chart"

func values(t *testing.T, text string) chartutil.Values {
	t.Helper()
	read, err := chartutil.ReadValues([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

const least = "clusterName: prod\nimage: {repository: r}\n"

// with renders the least that must be given and what is added to it.
func with(t *testing.T, text string) string {
	t.Helper()
	manifests, err := renderValues(chartDir, values(t, least+text))
	if err != nil {
		t.Fatal(err)
	}
	return string(manifests)
}

func TestCommittedManifestsAreWhatTheChartGives(t *testing.T) {
	if err := run(chartDir, "../rendered", true); err != nil {
		t.Fatal(err)
	}
}

func TestHelmsLinterHasNothingToSay(t *testing.T) {
	version, err := chartutil.ParseKubeVersion(kubeVersion)
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range lint.AllWithKubeVersion(chartDir, values(t, least), namespace, version).Messages {
		// "icon is recommended"
		if message.Severity > support.InfoSev {
			t.Error(message)
		}
	}
}

func TestWhatIsMissingOrWrongIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"clusterName: prod":                                 "image.repository: required",
		"image: {repository: r}":                            "clusterName: required",
		least + "scheduler: {replica: 3}":                   "replica",
		least + "scheduler: {name: default-scheduler}":      "scheduler/name",
		least + "scheduler: {ignorable: maybe}":             "scheduler/ignorable",
		least + "advisor: {config: {scaling: {mode: akt}}}": "advisor.config.scaling.mode: 'akt' is not observe, advise or act",
		least + "advisor: {tls: {secretName: a, certManager: {enabled: true, issuerRef: {name: b}}}}": "give one of both",
		least + "advisor: {tls: {certManager: {enabled: true}}}":                                      "advisor.tls.certManager.issuerRef.name: required",
		least + "image: {digest: latest}":                                                             "image/digest",
	} {
		_, err := renderValues(chartDir, values(t, text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v does not say %q", text, err, want)
		}
	}
}

func TestAKeyOfTheValuesReplacesTheCharts(t *testing.T) {
	manifests := with(t, `
scheduler: {config: {leaderElection: {leaseDuration: 30s}}}
extender: {config: {feed: {endpoint: http://elsewhere:9280}}}
advisor: {config: {history: {path: /var/lib/headroom/h}, leader_election: {namespace: kube-system}}}
`)
	for _, want := range []string{
		"leaseDuration: 30s", "resourceName: headroom-scheduler", "endpoint: http://elsewhere:9280", "path: /var/lib/headroom/h",
	} {
		if !strings.Contains(manifests, want) {
			t.Errorf("no %q", want)
		}
	}
	role := regexp.MustCompile(`name: headroom-advisor-leader\n  namespace: kube-system`)
	if len(role.FindAllString(manifests, -1)) != 2 {
		t.Error("the Role and its binding are not where the Lease is")
	}
}

func TestPermissionsFollowTheMode(t *testing.T) {
	for text, want := range map[string][2]bool{
		"": {false, false},
		"advisor: {config: {scaling: {mode: advise}}}": {true, false},
		"advisor: {config: {scaling: {mode: act}}}":    {true, true},
		// A drain that was begun is given back in another mode.
		"advisor: {permissionsOf: act}": {true, true},
	} {
		manifests := with(t, text)
		got := [2]bool{strings.Contains(manifests, "poddisruptionbudgets"), strings.Contains(manifests, "pods/eviction")}
		if got != want {
			t.Errorf("%q: budgets and evictions %v, want %v", text, got, want)
		}
	}
}

func TestEitherPartStandsAlone(t *testing.T) {
	alone := with(t, "advisor: {enabled: false}")
	if strings.Contains(alone, "headroom-advisor") || strings.Contains(alone, "feed:") {
		t.Error("the scheduler alone still has something of the advisor")
	}
	alone = with(t, "scheduler: {enabled: false}")
	if strings.Contains(alone, "kube-scheduler") {
		t.Error("the advisor alone still has a scheduler")
	}
}

// EKS says v1.33.5-eks-113cf36; registry.k8s.io has v1.33.5.
func TestTheSchedulerIsOfTheAPIServersVersion(t *testing.T) {
	version := chartutil.KubeVersion{Version: "v1.33.5-eks-113cf36", Major: "1", Minor: "33"}
	manifests, err := renderFor(chartDir, values(t, least), version)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(manifests), "image: registry.k8s.io/kube-scheduler:v1.33.5\n") {
		t.Error("not v1.33.5")
	}
}

// Each key of values.yaml has a place in the schema, and none that is misspelt gets past it.
func TestTheSchemaKnowsEveryValue(t *testing.T) {
	var schema, defaults map[string]any
	read(t, chartDir+"/values.schema.json", json.Unmarshal, &schema)
	read(t, chartDir+"/values.yaml", func(text []byte, into any) error { return yaml.Unmarshal(text, into) }, &defaults)
	defs := schema["$defs"].(map[string]any)
	var compare func(path string, value, schema map[string]any)
	compare = func(path string, value, schema map[string]any) {
		if ref, ok := schema["$ref"].(string); ok {
			schema = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		known, closed := schema["properties"].(map[string]any)
		if !closed {
			return
		}
		if schema["additionalProperties"] != false {
			t.Errorf("%s: additionalProperties is not false", path)
		}
		for key, below := range value {
			if known[key] == nil {
				t.Errorf("%s.%s is not in the schema", path, key)
			} else if below, ok := below.(map[string]any); ok {
				compare(path+"."+key, below, known[key].(map[string]any))
			}
		}
		for key := range known {
			// Helm adds global; an issuerRef has no defaults.
			if _, there := value[key]; !there && key != "global" && !strings.HasSuffix(path, "issuerRef") {
				t.Errorf("%s.%s is in the schema and not in values.yaml", path, key)
			}
		}
	}
	compare("values", defaults, schema)
}

func read(t *testing.T, path string, parse func([]byte, any) error, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := parse(text, into); err != nil {
		t.Fatal(err)
	}
}
