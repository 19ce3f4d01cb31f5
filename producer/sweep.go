package producer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxCombinations bounds what a Sweep yields.
const MaxCombinations = 1_000_000_000

// Axis is a parameter of a Sweep and the values that it takes.
type Axis struct {
	Name   string
	Values []string
}

// Sweep yields every combination of the axes' values, one of each axis, as
// nested loops would: the last axis changes first. The fields are the axes, the
// argument is the combination in words: "rate=0.1 seed=2".
func Sweep(axes ...Axis) Source {
	return func(yield func(Record, error) bool) {
		total, err := combinations(axes)
		if err != nil {
			yield(Record{}, fmt.Errorf("sweep: %w", err))
			return
		}
		for n := range total {
			rest := n
			fields, words := make(map[string]string, len(axes)), make([]string, len(axes))
			for i := len(axes) - 1; i >= 0; i-- {
				a := axes[i]
				v := a.Values[rest%len(a.Values)]
				rest /= len(a.Values)
				fields[a.Name], words[i] = v, a.Name+"="+v
			}
			pos := Position{Name: "combination " + strconv.Itoa(n+1)}
			if !yield(Record{Arg: strings.Join(words, " "), Fields: fields, Pos: pos}, nil) {
				return
			}
		}
	}
}

// combinations counts them, or tells what is wrong with the axes.
func combinations(axes []Axis) (int, error) {
	if len(axes) == 0 {
		return 0, errors.New("it has no parameter: at least one is needed")
	}
	total := 1
	seen := make(map[string]bool, len(axes))
	for i, a := range axes {
		switch {
		case a.Name == "":
			return 0, fmt.Errorf("parameter %d has no name", i+1)
		case seen[a.Name]:
			return 0, fmt.Errorf("parameter %.40q comes twice: a name may come once", a.Name)
		case len(a.Values) == 0:
			return 0, fmt.Errorf("parameter %.40q has no values: at least one is needed", a.Name)
		case total > MaxCombinations/len(a.Values):
			return 0, fmt.Errorf("parameter %.40q makes more than %d combinations: at most so many are allowed", a.Name, MaxCombinations)
		}
		seen[a.Name] = true
		total *= len(a.Values)
	}
	return total, nil
}
