package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

const second = 1000

func gauge(subnet string, value float64) sample {
	return sample{labels.FromStrings(labels.MetricName, "free", "subnet", subnet), value}
}

// ask gives the points of each series by its legend.
func ask(t *testing.T, samples *store, expr string) map[string][]point {
	t.Helper()
	found, err := newEvaluator(samples, 5*time.Second).ask(t.Context(), query{Expr: expr, LegendFormat: "{{subnet}}"})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]point{}
	for _, one := range found {
		all[one.name] = one.points
	}
	return all
}

func TestASeriesEndsWhereAScrapeHasItNoMore(t *testing.T) {
	var record bytes.Buffer
	samples, err := openStore(t.TempDir(), &record)
	if err != nil {
		t.Fatal(err)
	}
	defer samples.db.Close()
	for i, scrape := range [][]sample{{gauge("a", 1), gauge("b", 7)}, {gauge("a", 2)}, {gauge("a", 3)}} {
		if err := samples.add("target", int64(1000+5*i)*second, scrape); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]point{"a": {{0, 1}, {5, 2}, {10, 3}}, "b": {{0, 7}}}
	equal := func(got map[string][]point) {
		t.Helper()
		if !slices.Equal(got["a"], want["a"]) || !slices.Equal(got["b"], want["b"]) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	equal(ask(t, samples, "free"))

	path := filepath.Join(t.TempDir(), "samples")
	if err := os.WriteFile(path, record.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := openStore(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.db.Close()
	if err := again.load(path); err != nil {
		t.Fatal(err)
	}
	equal(ask(t, again, "free"))
}

func TestAGapIsNotDrawnOver(t *testing.T) {
	level := []point{{0, 1}, {5, 1}, {10, 1}, {25, 1}, {30, 2}}
	got := runs(level, 60)
	want := [][]point{{{0, 1}, {10, 1}}, {{25, 1}, {30, 2}}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestValuesAreWrittenInThePanelsUnit(t *testing.T) {
	for _, one := range []struct {
		unit  string
		value float64
		want  string
	}{
		{"s", 0, "0 s"},
		{"s", 0.000627, "627 µs"},
		{"s", 90, "1.5 min"},
		{"percentunit", 0.25, "25%"},
		{"reqps", 0.066, "0.07 req/s"},
		{"short", 1234, "1.23 K"},
	} {
		if got := format(defaults{Unit: one.unit}, one.value); got != one.want {
			t.Errorf("%v %s: got %s, want %s", one.value, one.unit, got, one.want)
		}
	}
}
