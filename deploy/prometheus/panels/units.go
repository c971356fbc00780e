package main

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// scale is a unit and from how much on it is used.
type scale struct {
	from, divide float64
	name         string
}

var scales = map[string][]scale{
	"s": {
		{0, 1e-9, " ns"}, {1e-6, 1e-6, " µs"}, {1e-3, 1e-3, " ms"}, {1, 1, " s"}, {60, 60, " min"}, {3600, 3600, " h"}, {86400, 86400, " d"},
	},
	"percentunit": {{0, 0.01, "%"}},
	"reqps":       {{0, 1, " req/s"}},
	"cps":         {{0, 1, " c/s"}},
	"short":       {{0, 1, ""}, {1e3, 1e3, " K"}, {1e6, 1e6, " Mil"}},
}

// format writes a value about as Grafana does in the panel's unit.
func format(d defaults, value float64) string {
	if found, there := d.mapped(value); there && found.Text != "" {
		return found.Text
	}
	if math.IsInf(value, 0) {
		return "∞"
	}
	if value == 0 && d.Unit == "s" {
		// Zero has no size to choose a unit by.
		return "0 s"
	}
	of := scaleOf(d.Unit, value)
	return number(value/of.divide) + of.name
}

func scaleOf(unit string, value float64) scale {
	list, known := scales[unit]
	if !known {
		list = scales["short"]
	}
	of := list[0]
	for _, one := range list {
		if math.Abs(value) >= one.from {
			of = one
		}
	}
	return of
}

// number writes three digits that matter.
func number(value float64) string {
	digits := 2
	if abs := math.Abs(value); abs >= 100 {
		digits = 0
	} else if abs >= 10 {
		digits = 1
	}
	power := math.Pow(10, float64(digits))
	return strconv.FormatFloat(math.Round(value*power)/power, 'f', -1, 64)
}

// ticks are at round numbers of the unit that the axis's largest value has, or at powers of ten.
type ticks struct {
	defaults defaults
	log      bool
}

func (t ticks) Ticks(least, most float64) []plot.Tick {
	var all []plot.Tick
	add := func(at float64) {
		all = append(all, plot.Tick{Value: at, Label: format(defaults{Unit: t.defaults.Unit}, at)})
	}
	if t.log {
		first, last := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
		for power := first; power <= last; power += math.Ceil((last - first) / 5) {
			add(math.Pow(10, power))
		}
		return all
	}
	of := scaleOf(t.defaults.Unit, most).divide
	step := roundUp((most-least)/of/4) * of
	for i := math.Ceil(least / step); i*step <= most*(1+1e-9); i++ {
		add(i * step)
	}
	return all
}

// roundUp gives the next of 1, 2, 5, 10, 20 and so on.
func roundUp(value float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(value)))
	for _, digit := range []float64{1, 2, 5} {
		if value <= digit*power*(1+1e-9) {
			return digit * power
		}
	}
	return 10 * power
}

// minutes are the ticks of time; none at the start, where the other axis has its own.
type minutes struct{}

func (minutes) Ticks(least, most float64) []plot.Tick {
	var all []plot.Tick
	step := 60 * max(1, math.Ceil((most-least)/60/6))
	for at := least + step; at <= most; at += step {
		all = append(all, plot.Tick{Value: at, Label: strconv.Itoa(int(at/60)) + " min"})
	}
	return all
}
