package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb"
)

// target is one address with the labels that a scrape adds.
type target struct {
	job, address string
}

type sample struct {
	labels labels.Labels
	value  float64
}

// store keeps samples in a TSDB, and writes them to a file for another run where that is asked for.
type store struct {
	db     *tsdb.DB
	record io.Writer
	// What the last scrape of a target had: series that are missing in the next one end there.
	last     map[string]map[uint64]labels.Labels
	from, to int64
}

func openStore(dir string, record io.Writer) (*store, error) {
	options := tsdb.DefaultOptions()
	options.RetentionDuration = 0
	db, err := tsdb.Open(dir, nil, nil, options, nil)
	if err != nil {
		return nil, err
	}
	// Blocks are for days; this is minutes.
	db.DisableCompactions()
	return &store{db: db, record: record, last: map[string]map[uint64]labels.Labels{}}, nil
}

// scrape reads all targets every interval until the time is up.
func (s *store) scrape(ctx context.Context, targets []target, cluster string, interval, length time.Duration) error {
	client := &http.Client{Timeout: interval}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for end := time.Now().Add(length); time.Now().Before(end); {
		for _, target := range targets {
			at := time.Now().UnixMilli()
			samples, err := read(ctx, client, target, cluster)
			if err != nil {
				// As Prometheus does: the target's series end, and the next scrape may have them again.
				fmt.Fprintf(os.Stderr, "panels: %s: %v\n", target.address, err)
			}
			if err := s.add(target.address, at, samples); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}

func read(ctx context.Context, client *http.Client, target target, cluster string) ([]sample, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+target.address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", response.Status)
	}
	parser, err := textparse.New(body, response.Header.Get("Content-Type"), nil, textparse.ParserOptions{})
	if err != nil {
		return nil, err
	}
	return parse(parser, func(builder *labels.Builder) {
		builder.Set("job", target.job).Set("instance", target.address).Set("cluster", cluster)
	})
}

func parse(parser textparse.Parser, add func(*labels.Builder)) ([]sample, error) {
	var samples []sample
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return samples, nil
		}
		if err != nil {
			return nil, err
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var series labels.Labels
		parser.Labels(&series)
		_, _, v := parser.Series()
		builder := labels.NewBuilder(series)
		add(builder)
		samples = append(samples, sample{builder.Labels(), v})
	}
}

// add takes one scrape of a target.
func (s *store) add(target string, at int64, samples []sample) error {
	appender := s.db.Appender(context.Background())
	seen := make(map[uint64]labels.Labels, len(samples))
	for _, sample := range samples {
		seen[sample.labels.Hash()] = sample.labels
		if _, err := appender.Append(0, sample.labels, at, sample.value); err != nil {
			return errors.Join(err, appender.Rollback())
		}
	}
	for hash, series := range s.last[target] {
		if _, there := seen[hash]; there {
			continue
		}
		if _, err := appender.Append(0, series, at, math.Float64frombits(value.StaleNaN)); err != nil {
			return errors.Join(err, appender.Rollback())
		}
	}
	s.last[target] = seen
	if s.from == 0 {
		s.from = at
	}
	s.to = max(s.to, at)
	if s.record != nil {
		if err := write(s.record, target, at, samples); err != nil {
			return errors.Join(err, appender.Rollback())
		}
	}
	return appender.Commit()
}

// scrapeLine begins a scrape in a file of samples; the text format follows.
const scrapeLine = "# scrape "

func write(out io.Writer, target string, at int64, samples []sample) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s%s %d\n", scrapeLine, target, at)
	for _, sample := range samples {
		name := sample.labels.Get(labels.MetricName)
		rest := labels.NewBuilder(sample.labels).Del(labels.MetricName).Labels()
		fmt.Fprintf(&text, "%s%s %s\n", name, rest, strconv.FormatFloat(sample.value, 'g', -1, 64))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// load takes what write wrote.
func (s *store) load(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var (
		target string
		at     int64
		text   []byte
	)
	flush := func() error {
		if target == "" {
			return nil
		}
		samples, err := parse(textparse.NewPromParser(text, labels.NewSymbolTable(), false), func(*labels.Builder) {})
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		// The parser's strings lie in the buffer: it is not used again.
		text = nil
		return s.add(target, at, samples)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		header, begins := strings.CutPrefix(lines.Text(), scrapeLine)
		if !begins {
			text = append(append(text, lines.Bytes()...), '\n')
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		if _, err := fmt.Sscanf(header, "%s %d", &target, &at); err != nil {
			return fmt.Errorf("%s: %q: %w", path, header, err)
		}
	}
	return errors.Join(lines.Err(), flush())
}
