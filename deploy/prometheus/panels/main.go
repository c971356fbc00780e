// panels scrapes Headroom's programs, or reads what was scraped, evaluates every panel of the dashboard over that with
// Prometheus's own engine, prints what each has, and draws them.
//
// It needs neither Prometheus nor Grafana to run: an expression that names a label or a metric that nobody has parses well, and
// only data show that its panel stays empty.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

type options struct {
	dashboard, picture, read, record, cluster string
	targets                                   []target
	interval, length                          time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.dashboard, "dashboard", "", "the dashboard's JSON")
	flag.StringVar(&o.picture, "picture", "", "where the picture goes, SVG; none without it")
	flag.StringVar(&o.read, "read", "", "file of samples that -record wrote, instead of scraping")
	flag.StringVar(&o.record, "record", "", "file that what is scraped is written to")
	flag.StringVar(&o.cluster, "cluster", "", "the label cluster that a scrape adds")
	flag.DurationVar(&o.interval, "every", 5*time.Second, "from one scrape to the next")
	flag.DurationVar(&o.length, "for", 5*time.Minute, "how long to scrape")
	flag.Func("target", "JOB=HOST:PORT to scrape; may be given several times", func(text string) error {
		job, address, found := strings.Cut(text, "=")
		if !found {
			return fmt.Errorf("%q is not JOB=HOST:PORT", text)
		}
		o.targets = append(o.targets, target{job, address})
		return nil
	})
	flag.Parse()
	if o.dashboard == "" || flag.NArg() > 0 || (o.read == "") == (len(o.targets) == 0) {
		fmt.Fprintln(os.Stderr, "panels: -dashboard is needed, and either -target or -read")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "panels:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	board, err := readDashboard(o.dashboard)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "panels-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	samples, err := fill(ctx, o, dir)
	if err != nil {
		return err
	}
	defer samples.db.Close()

	evaluator := newEvaluator(samples, o.interval)
	if err := evaluator.choose(ctx, board.Templating.List); err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "panel\tseries\tlast")
	found := make([][]series, len(board.Panels))
	for i, panel := range board.Panels {
		if panel.Type == "row" {
			continue
		}
		if found[i], err = evaluator.all(ctx, panel); err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%d\t%s\n", panel.Title, len(found[i]), lasts(panel, found[i]))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if o.picture == "" {
		return nil
	}
	return drawAll(board, found, evaluator.to.Sub(evaluator.from).Seconds(), o.picture)
}

func fill(ctx context.Context, o options, dir string) (*store, error) {
	if o.read != "" {
		samples, err := openStore(dir, nil)
		if err != nil {
			return nil, err
		}
		return samples, samples.load(o.read)
	}
	if o.record == "" {
		samples, err := openStore(dir, nil)
		if err != nil {
			return nil, err
		}
		return samples, samples.scrape(ctx, o.targets, o.cluster, o.interval, o.length)
	}
	file, err := os.Create(o.record)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	record := bufio.NewWriter(file)
	samples, err := openStore(dir, record)
	if err != nil {
		return nil, err
	}
	if err := samples.scrape(ctx, o.targets, o.cluster, o.interval, o.length); err != nil {
		return nil, err
	}
	return samples, record.Flush()
}

// lasts are the last values of a panel's first series.
func lasts(panel panel, all []series) string {
	if len(all) == 0 {
		return "no data"
	}
	var texts []string
	for i, one := range all {
		if i == 3 {
			texts = append(texts, "...")
			break
		}
		name := one.name
		if name == "" && one.labels.Len() > 0 {
			name = one.labels.String()
		}
		texts = append(texts, strings.TrimSpace(name+" "+format(panel.FieldConfig.Defaults, one.last())))
	}
	return strings.Join(texts, ", ")
}
