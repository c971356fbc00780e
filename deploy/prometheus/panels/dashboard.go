package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// The parts of Grafana's model that the dashboard uses.
type dashboard struct {
	Title      string
	Panels     []panel
	Templating struct {
		List []variable
	}
}

type variable struct {
	Name, Type, Definition string
}

type panel struct {
	Type, Title string
	GridPos     struct{ H, W, X, Y int }
	FieldConfig struct {
		Defaults defaults
	}
	Targets         []query
	Transformations []struct {
		Options struct{ ExcludeByName map[string]bool }
	}
}

type defaults struct {
	Unit       string
	Min        *float64
	Mappings   []mapping
	Thresholds struct {
		Steps []struct {
			Color string
			Value *float64
		}
	}
	Custom struct {
		FillOpacity       float64
		Stacking          struct{ Mode string }
		ScaleDistribution struct{ Type string }
	}
}

// mapping is a value mapping, of type range or value; the keys of the latter are values.
type mapping struct {
	Type    string
	Options json.RawMessage
}

type result struct {
	Text, Color string
}

// mapped is what the value mappings make of a value.
func (d defaults) mapped(value float64) (result, bool) {
	for _, mapping := range d.Mappings {
		switch mapping.Type {
		case "range":
			var options struct {
				From, To *float64
				Result   result
			}
			if json.Unmarshal(mapping.Options, &options) == nil &&
				(options.From == nil || value >= *options.From) && (options.To == nil || value <= *options.To) {
				return options.Result, true
			}
		case "value":
			var options map[string]result
			if json.Unmarshal(mapping.Options, &options) == nil {
				if found, there := options[strconv.FormatFloat(value, 'g', -1, 64)]; there {
					return found, true
				}
			}
		}
	}
	return result{}, false
}

type query struct {
	Expr, LegendFormat string
	Instant            bool
}

type point struct {
	at, value float64 // seconds since the first scrape
}

type series struct {
	labels labels.Labels
	name   string
	points []point
}

func (s series) last() float64 {
	return s.points[len(s.points)-1].value
}

func readDashboard(path string) (dashboard, error) {
	var board dashboard
	text, err := os.ReadFile(path)
	if err != nil {
		return board, err
	}
	if err := json.Unmarshal(text, &board); err != nil {
		return board, fmt.Errorf("%s: %w", path, err)
	}
	return board, nil
}

// evaluator asks what Grafana would ask over the whole range.
type evaluator struct {
	engine    *promql.Engine
	db        storage.Queryable
	from, to  time.Time
	step      time.Duration
	variables map[string]string
}

func newEvaluator(store *store, interval time.Duration) *evaluator {
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000,
		Timeout:    time.Minute,
		Parser:     parser.NewParser(parser.Options{}),
	})
	// Grafana's: four scrapes, or a step and a scrape where that is more; a step here is a scrape.
	rate := fmt.Sprintf("%dms", (4 * interval).Milliseconds())
	return &evaluator{
		engine:    engine,
		db:        store.db,
		from:      time.UnixMilli(store.from),
		to:        time.UnixMilli(store.to),
		step:      interval,
		variables: map[string]string{"__rate_interval": rate},
	}
}

var labelValues = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)

// choose sets the dashboard's variables: a cluster is picked, so that its label is held against the data; subnets are all.
func (e *evaluator) choose(ctx context.Context, variables []variable) error {
	for _, variable := range variables {
		if variable.Type != "query" {
			continue
		}
		parts := labelValues.FindStringSubmatch(variable.Definition)
		if parts == nil {
			return fmt.Errorf("variable %s: %q is not label_values(METRIC, LABEL)", variable.Name, variable.Definition)
		}
		found, err := e.ask(ctx, query{Expr: fmt.Sprintf("group by (%s) (%s)", parts[2], parts[1])})
		if err != nil {
			return fmt.Errorf("variable %s: %w", variable.Name, err)
		}
		var values []string
		for _, series := range found {
			values = append(values, series.labels.Get(parts[2]))
		}
		fmt.Printf("variable %s: %s\n", variable.Name, strings.Join(values, ", "))
		if len(values) == 0 || slices.Contains(values, "") {
			return fmt.Errorf("variable %s has no values: %s", variable.Name, variable.Definition)
		}
		e.variables[variable.Name] = ".*"
		if variable.Name == "cluster" {
			e.variables[variable.Name] = regexp.QuoteMeta(values[0])
		}
	}
	return nil
}

func (e *evaluator) ask(ctx context.Context, target query) ([]series, error) {
	expr := target.Expr
	for name, value := range e.variables {
		expr = strings.ReplaceAll(expr, "$"+name, value)
	}
	from := e.from
	if target.Instant {
		from = e.to
	}
	asked, err := e.engine.NewRangeQuery(ctx, e.db, nil, expr, from, e.to, e.step)
	if err != nil {
		return nil, err
	}
	defer asked.Close()
	matrix, err := asked.Exec(ctx).Matrix()
	if err != nil {
		return nil, err
	}
	var all []series
	for _, found := range matrix {
		one := series{labels: found.Metric.Copy(), name: legend(target.LegendFormat, found.Metric)}
		for _, sample := range found.Floats {
			// Grafana draws no point for NaN.
			if !math.IsNaN(sample.F) {
				at := time.UnixMilli(sample.T).Sub(e.from).Seconds()
				one.points = append(one.points, point{at, sample.F})
			}
		}
		if len(one.points) > 0 {
			all = append(all, one)
		}
	}
	return all, nil
}

var legendLabel = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

func legend(format string, metric labels.Labels) string {
	return legendLabel.ReplaceAllStringFunc(format, func(found string) string {
		return metric.Get(legendLabel.FindStringSubmatch(found)[1])
	})
}

// all evaluates every target of a panel.
func (e *evaluator) all(ctx context.Context, panel panel) ([]series, error) {
	var all []series
	for _, target := range panel.Targets {
		found, err := e.ask(ctx, target)
		if err != nil {
			return nil, fmt.Errorf("panel %q: %s: %w", panel.Title, target.Expr, err)
		}
		all = append(all, found...)
	}
	return all, nil
}
