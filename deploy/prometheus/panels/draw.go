package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Sizes of Grafana's grid, a little flatter than there.
const (
	column, line = 50, 27
	gap, header  = 3, 30
	columns      = 24
	// A viewer without Liberation Sans may take a font that is a sixth wider.
	wider = 1.17
)

var (
	ink   = color.NRGBA{0x24, 0x29, 0x2e, 0xff}
	faint = color.NRGBA{0x6a, 0x73, 0x7d, 0xff}
	grid  = color.NRGBA{0xe8, 0xea, 0xed, 0xff}
	frame = color.NRGBA{0xd5, 0xd9, 0xde, 0xff}
	page  = color.NRGBA{0xf4, 0xf5, 0xf7, 0xff}

	// Thresholds and mappings name these.
	named = map[string]color.NRGBA{
		"green": {0x37, 0x87, 0x2d, 0xff}, "orange": {0xe0, 0x74, 0x00, 0xff}, "red": {0xc4, 0x16, 0x2a, 0xff},
	}
	palette = []color.NRGBA{
		{0x37, 0x87, 0x2d, 0xff}, {0x1f, 0x60, 0xc4, 0xff}, {0xe0, 0x74, 0x00, 0xff}, {0xc4, 0x16, 0x2a, 0xff},
		{0x8f, 0x3b, 0xb8, 0xff}, {0x12, 0x9a, 0xa8, 0xff}, {0xb8, 0x9b, 0x00, 0xff}, {0x7a, 0x4a, 0x2b, 0xff},
		{0xd8, 0x4f, 0x9b, 0xff}, {0x6b, 0x8e, 0xd6, 0xff}, {0x8a, 0xc9, 0x6b, 0xff}, {0x55, 0x5b, 0x66, 0xff},
	}
)

func style(size vg.Length, bold bool, ink color.Color) text.Style {
	face := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		face.Weight = xfont.WeightBold
	}
	return text.Style{Color: ink, Font: face, Handler: plot.DefaultTextHandler, YAlign: text.YCenter}
}

func drawAll(board dashboard, found [][]series, length float64, path string) error {
	var rows int
	for _, panel := range board.Panels {
		rows = max(rows, panel.GridPos.Y+panel.GridPos.H)
	}
	height := vg.Length(rows*line + header)
	svg := vgsvg.New(columns*column, height)
	canvas := draw.New(svg)
	rectangle(canvas, page, nil)
	canvas.FillText(style(15, true, ink), vg.Point{X: 10, Y: height - header/2}, board.Title)
	note, about := style(9.5, false, faint), "minutes since the first scrape"
	canvas.FillText(note, vg.Point{X: columns*column - 10 - note.Width(about)*wider, Y: height - header/2}, about)
	for i, panel := range board.Panels {
		at := panel.GridPos
		left, top := vg.Length(at.X*column), vg.Length(header+at.Y*line)
		box := draw.Canvas{Canvas: canvas.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: left + gap, Y: height - top - vg.Length(at.H*line) + gap},
			Max: vg.Point{X: left + vg.Length(at.W*column) - gap, Y: height - top - gap},
		}}
		drawPanel(box, panel, found[i], length)
	}
	var out bytes.Buffer
	if _, err := svg.WriteTo(&out); err != nil {
		return err
	}
	// Who has no Liberation Sans shall not see a serif.
	content := bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arial,sans-serif"))
	return os.WriteFile(path, content, 0o644)
}

func rectangle(c draw.Canvas, fill, stroke color.Color) {
	corners := []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}}
	c.FillPolygon(fill, corners)
	if stroke != nil {
		c.StrokeLines(draw.LineStyle{Color: stroke, Width: 1}, append(corners, c.Min))
	}
}

func drawPanel(c draw.Canvas, panel panel, all []series, length float64) {
	if panel.Type == "row" {
		c.FillText(style(12, true, ink), vg.Point{X: c.Min.X + 6, Y: c.Center().Y}, panel.Title)
		return
	}
	rectangle(c, color.White, frame)
	c.FillText(style(11, true, ink), vg.Point{X: c.Min.X + 8, Y: c.Max.Y - 12}, panel.Title)
	body := draw.Crop(c, 8, -10, 6, -24)
	if len(all) == 0 {
		middle := style(11, false, faint)
		middle.XAlign = text.XCenter
		body.FillText(middle, body.Center(), "No data")
		return
	}
	switch panel.Type {
	case "stat":
		drawStat(body, panel, all[0], length)
	case "table":
		drawTable(body, panel, all)
	case "state-timeline":
		drawStates(body, panel, all, length)
	default:
		drawLines(body, panel, all, length)
	}
}

func drawStat(c draw.Canvas, panel panel, one series, length float64) {
	ink := named["green"]
	value := one.last()
	for _, step := range panel.FieldConfig.Defaults.Thresholds.Steps {
		if step.Value == nil || value >= *step.Value {
			ink = named[step.Color]
		}
	}
	large := style(24, true, ink)
	large.XAlign = text.XCenter
	c.FillText(large, vg.Point{X: c.Center().X, Y: c.Max.Y - 22}, format(panel.FieldConfig.Defaults, value))

	least, most := bounds([]series{one})
	if most == least {
		most, least = most+1, least-1
	}
	at := func(p point) vg.Point {
		return vg.Point{
			X: c.Min.X + c.Size().X*vg.Length(p.at/length),
			Y: c.Min.Y + 26*vg.Length((p.value-least)/(most-least)),
		}
	}
	for _, run := range runs(one.points, length) {
		var points []vg.Point
		for _, p := range run {
			points = append(points, at(p))
		}
		area := slices.Clone(points)
		area = append(area, vg.Point{X: points[len(points)-1].X, Y: c.Min.Y}, vg.Point{X: points[0].X, Y: c.Min.Y})
		c.FillPolygon(translucent(ink, 0.12), area)
		c.StrokeLines(draw.LineStyle{Color: ink, Width: 1}, points)
	}
}

// bounds are the least and the most finite value.
func bounds(all []series) (least, most float64) {
	least, most = math.Inf(1), math.Inf(-1)
	for _, one := range all {
		for _, p := range one.points {
			if !math.IsInf(p.value, 0) {
				least, most = min(least, p.value), max(most, p.value)
			}
		}
	}
	if least > most {
		return 0, 0
	}
	return least, most
}

// runs are the points between gaps, without those inside a level stretch.
func runs(points []point, length float64) [][]point {
	step := length
	for i := 1; i < len(points); i++ {
		step = min(step, points[i].at-points[i-1].at)
	}
	var all [][]point
	for i, p := range points {
		if math.IsInf(p.value, 0) {
			continue
		}
		follows := i > 0 && p.at-points[i-1].at < 1.5*step && !math.IsInf(points[i-1].value, 0)
		if !follows {
			all = append(all, nil)
		}
		run := &all[len(all)-1]
		if n := len(*run); n > 1 && (*run)[n-1].value == p.value && (*run)[n-2].value == p.value {
			(*run)[n-1] = p
			continue
		}
		*run = append(*run, p)
	}
	return all
}

func translucent(ink color.NRGBA, share float64) color.Color {
	ink.A = uint8(255 * share)
	return ink
}

// pale is what a share of ink on white looks like, and hides what is beneath.
func pale(ink color.NRGBA, share float64) color.Color {
	mix := func(part uint8) uint8 { return uint8(255 - share*float64(255-part)) }
	return color.NRGBA{mix(ink.R), mix(ink.G), mix(ink.B), 0xff}
}

func drawLines(c draw.Canvas, panel panel, all []series, length float64) {
	settings := panel.FieldConfig.Defaults
	log := settings.Custom.ScaleDistribution.Type == "log"
	below := c.Min.Y + drawLegend(c, all)
	if settings.Custom.Stacking.Mode == "normal" {
		all = stacked(all)
	}
	p := plot.New()
	p.BackgroundColor = color.Transparent
	least, most := bounds(all)
	switch {
	case log:
		least, most = math.Pow(10, math.Floor(math.Log10(least))), math.Pow(10, math.Ceil(math.Log10(most)))
		p.Y.Scale = plot.LogScale{}
	case settings.Min != nil:
		least = *settings.Min
	}
	if most <= least {
		most = least + 1
	}
	if !log {
		most += (most - least) * 0.05
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, length, least, most
	p.X.Tick.Marker, p.Y.Tick.Marker = minutes{}, ticks{settings, log}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Padding = 0
		axis.LineStyle.Width = 0
		axis.Tick.LineStyle.Width = 0
		axis.Tick.Length = 3
		axis.Tick.Label.Font = style(9, false, faint).Font
		axis.Tick.Label.Color = faint
	}
	// Without a width a tick takes no room, and the grid runs into the labels.
	p.X.Tick.LineStyle = draw.LineStyle{Color: grid, Width: 1}
	p.X.Tick.Length = 4
	lines := plotter.NewGrid()
	lines.Horizontal = draw.LineStyle{Color: grid, Width: 1}
	lines.Vertical = lines.Horizontal
	p.Add(lines)
	// The lowest of a stack goes last: its fill covers those of the others.
	for i := len(all) - 1; i >= 0; i-- {
		ink := palette[i%len(palette)]
		for _, run := range runs(all[i].points, length) {
			points := make(plotter.XYs, len(run))
			for j, p := range run {
				points[j] = plotter.XY{X: p.at, Y: p.value}
			}
			line := &plotter.Line{XYs: points, LineStyle: draw.LineStyle{Color: ink, Width: 1.3}}
			if opacity := settings.Custom.FillOpacity; opacity > 0 {
				line.FillColor = pale(ink, opacity/100)
			}
			p.Add(line)
		}
	}
	c.Min.Y = below
	p.Draw(c)
}

// stacked adds up series point by point; the first lies at the bottom.
func stacked(all []series) []series {
	sums := map[float64]float64{}
	var sum []series
	for _, one := range all {
		one.points = slices.Clone(one.points)
		for i, p := range one.points {
			sums[p.at] += p.value
			one.points[i].value = sums[p.at]
		}
		sum = append(sum, one)
	}
	return sum
}

// drawLegend draws names at the bottom and tells how high that is. Grafana scrolls a long legend; here it is cut.
func drawLegend(c draw.Canvas, all []series) vg.Length {
	const rowHeight, most = 13, 3
	names := style(9.5, false, ink)
	width := func(name string) vg.Length { return names.Width(name)*wider + 26 }
	rows := [][]int{nil}
	var x vg.Length
	for i, one := range all {
		if len(rows[len(rows)-1]) > 0 && x+width(one.name) > c.Size().X {
			rows = append(rows, nil)
			x = 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], i)
		x += width(one.name)
	}
	more := ""
	if len(rows) > most {
		shown := rows[:most]
		last := &shown[most-1]
		*last = (*last)[:len(*last)-1]
		more = fmt.Sprintf("and %d more", len(all)-(*last)[len(*last)-1]-1)
		rows = shown
	}
	for r, row := range rows {
		at := vg.Point{X: c.Min.X + 4, Y: c.Min.Y + vg.Length(len(rows)-r)*rowHeight - rowHeight/2}
		for _, i := range row {
			c.StrokeLine2(draw.LineStyle{Color: palette[i%len(palette)], Width: 3}, at.X, at.Y, at.X+12, at.Y)
			c.FillText(names, vg.Point{X: at.X + 16, Y: at.Y}, all[i].name)
			at.X += width(all[i].name)
		}
		if r == len(rows)-1 && more != "" {
			c.FillText(style(9.5, false, faint), at, more)
		}
	}
	return vg.Length(len(rows))*rowHeight + 3
}

func drawStates(c draw.Canvas, panel panel, all []series, length float64) {
	names := style(9.5, false, ink)
	var left vg.Length
	for _, one := range all {
		left = max(left, names.Width(one.name)*wider+8)
	}
	const below = 34
	high := (c.Size().Y - below) / vg.Length(len(all))
	x := func(at float64) vg.Length { return c.Min.X + left + (c.Size().X-left)*vg.Length(at/length) }
	var legend []result
	for i, one := range all {
		top := c.Max.Y - vg.Length(i)*high
		c.FillText(names, vg.Point{X: c.Min.X, Y: top - high/2}, one.name)
		for from := 0; from < len(one.points); {
			to := from
			for to < len(one.points) && one.points[to].value == one.points[from].value {
				to++
			}
			end := length
			if to < len(one.points) {
				end = one.points[to].at
			}
			state, _ := panel.FieldConfig.Defaults.mapped(one.points[from].value)
			if !slices.Contains(legend, state) {
				legend = append(legend, state)
			}
			box := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: x(one.points[from].at), Y: top - high + 3}, Max: vg.Point{X: x(end), Y: top - 3},
			}}
			rectangle(box, translucent(named[state.Color], 0.7), nil)
			from = to
		}
	}
	for _, tick := range (minutes{}).Ticks(0, length) {
		label := style(9, false, faint)
		label.XAlign = text.XCenter
		c.FillText(label, vg.Point{X: x(tick.Value), Y: c.Min.Y + below - 10}, tick.Label)
	}
	at := vg.Point{X: c.Min.X + 4, Y: c.Min.Y + 6}
	for _, state := range legend {
		c.StrokeLine2(draw.LineStyle{Color: named[state.Color], Width: 3}, at.X, at.Y, at.X+12, at.Y)
		c.FillText(names, vg.Point{X: at.X + 16, Y: at.Y}, state.Text)
		at.X += names.Width(state.Text)*wider + 26
	}
}

func drawTable(c draw.Canvas, panel panel, all []series) {
	hidden := map[string]bool{}
	for _, transformation := range panel.Transformations {
		for name, hide := range transformation.Options.ExcludeByName {
			hidden[name] = hide
		}
	}
	var names []string
	all[0].labels.Range(func(label labels.Label) { names = append(names, label.Name) })
	if !hidden["Value"] {
		names = append(names, "Value")
	}
	wide := c.Size().X / vg.Length(len(names))
	for r := -1; r < len(all); r++ {
		y := c.Max.Y - vg.Length(r+1)*20 - 10
		if y < c.Min.Y+10 {
			return
		}
		for i, name := range names {
			cell, written := style(10, true, faint), name
			if r >= 0 {
				cell = style(10, false, ink)
				written = all[r].labels.Get(name)
				if name == "Value" {
					written = format(panel.FieldConfig.Defaults, all[r].last())
				}
			}
			c.FillText(cell, vg.Point{X: c.Min.X + 4 + wide*vg.Length(i), Y: y}, written)
		}
		c.StrokeLine2(draw.LineStyle{Color: grid, Width: 1}, c.Min.X, y-10, c.Max.X, y-10)
	}
}
