package expr

import (
	"math"
	"math/rand/v2"
)

// function is one that an expression can call.
type function struct {
	min, max int // arguments; a max of -1 is any number
	refs     int // variables passed with &
	eval     func(r *run, args []node, refs []*float64) (float64, error)
}

// one makes a function of one argument; the result is checked.
func one(f func(x float64) float64) function {
	return function{1, 1, 0, func(r *run, args []node, _ []*float64) (float64, error) {
		x, err := r.eval(args[0])
		if err != nil {
			return 0, err
		}
		return checked(f(x))
	}}
}

// two makes a function of two arguments; the result is checked.
func two(f func(x, y float64) float64) function {
	return function{2, 2, 0, func(r *run, args []node, _ []*float64) (float64, error) {
		x, y, err := r.both(args[0], args[1])
		if err != nil {
			return 0, err
		}
		return checked(f(x, y))
	}}
}

// list makes a function of the values of all its arguments.
func list(min, max int, f func(v []float64) (float64, error)) function {
	return function{min, max, 0, func(r *run, args []node, _ []*float64) (float64, error) {
		values := make([]float64, len(args))
		for i, a := range args {
			var err error
			if values[i], err = r.eval(a); err != nil {
				return 0, err
			}
		}
		return f(values)
	}}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// bits is a number as C converts it to unsigned int.
func bits(x float64) uint32 {
	if !(math.Abs(x) < 1<<62) {
		return 0
	}
	return uint32(int64(x))
}

// functions are those of the reference's evaluator, by name.
var functions = map[string]function{
	"abs":    one(math.Abs),
	"mod":    two(math.Mod),
	"ipart":  one(math.Trunc),
	"fpart":  one(func(x float64) float64 { return x - math.Trunc(x) }),
	"min":    list(1, -1, func(v []float64) (float64, error) { return fold(v, math.Min), nil }),
	"max":    list(1, -1, func(v []float64) (float64, error) { return fold(v, math.Max), nil }),
	"pow":    list(2, 2, func(v []float64) (float64, error) { return power(v[0], v[1]) }),
	"sqrt":   one(math.Sqrt),
	"sin":    one(math.Sin),
	"sinh":   one(math.Sinh),
	"asin":   one(math.Asin),
	"cos":    one(math.Cos),
	"cosh":   one(math.Cosh),
	"acos":   one(math.Acos),
	"tan":    one(math.Tan),
	"tanh":   one(math.Tanh),
	"atan":   one(math.Atan),
	"atan2":  two(math.Atan2),
	"log":    one(math.Log10),
	"pow10":  list(1, 1, func(v []float64) (float64, error) { return power(10, v[0]) }),
	"ln":     one(math.Log),
	"exp":    list(1, 1, func(v []float64) (float64, error) { return power(math.E, v[0]) }),
	"logn":   list(2, 2, logn),
	"ceil":   one(math.Ceil),
	"floor":  one(math.Floor),
	"rand":   {0, 0, 1, func(_ *run, _ []node, refs []*float64) (float64, error) { return next(refs[0]) / 32768, nil }},
	"random": {2, 2, 1, random},
	"randomize": {0, 0, 1, func(_ *run, _ []node, refs []*float64) (float64, error) {
		*refs[0] = float64(rand.Int32())
		return 0, nil
	}},
	"deg":        one(func(x float64) float64 { return 180 * x / math.Pi }),
	"rad":        one(func(x float64) float64 { return math.Pi * x / 180 }),
	"recttopolr": two(func(x, y float64) float64 { return math.Sqrt(x*x + y*y) }),
	"recttopola": two(angle),
	"poltorectx": two(func(r, a float64) float64 { return r * math.Cos(a) }),
	"poltorecty": two(func(r, a float64) float64 { return r * math.Sin(a) }),
	"if":         {3, 3, 0, choose},
	"select":     {3, 4, 0, choose3},
	"equal":      two(func(x, y float64) float64 { return truth(x == y) }),
	"above":      two(func(x, y float64) float64 { return truth(x > y) }),
	"below":      two(func(x, y float64) float64 { return truth(x < y) }),
	"avg":        list(1, -1, average),
	"clip":       list(3, 3, clip),
	"clamp":      list(3, 3, clamp),
	"pntchange":  list(5, 5, pointChange),
	"poly":       list(2, -1, polynomial),
	"and":        two(func(x, y float64) float64 { return truth(x != 0 && y != 0) }),
	"or":         two(func(x, y float64) float64 { return truth(x != 0 || y != 0) }),
	"not":        one(func(x float64) float64 { return truth(x == 0) }),
	"for":        {4, -1, 0, loop},
	"many":       list(1, -1, func(v []float64) (float64, error) { return v[len(v)-1], nil }),
	"land":       two(func(x, y float64) float64 { return float64(bits(x) & bits(y)) }),
	"lor":        two(func(x, y float64) float64 { return float64(bits(x) | bits(y)) }),
}

func fold(v []float64, f func(x, y float64) float64) float64 {
	result := v[0]
	for _, x := range v[1:] {
		result = f(result, x)
	}
	return result
}

func average(v []float64) (float64, error) {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v)), nil
}

func logn(v []float64) (float64, error) {
	x, err := checked(math.Log(v[0]))
	if err != nil {
		return 0, err
	}
	base, err := checked(math.Log(v[1]))
	if err != nil {
		return 0, err
	}
	return divide(x, base)
}

// next steps the reference's generator, whose state is the variable, and gives
// 15 bits.
func next(state *float64) float64 {
	const multiplier, increment = 214013, 2531011
	seed := int64(0)
	if math.Abs(*state) < 1<<62 {
		seed = int64(*state)
	}
	seed = seed*multiplier + increment
	*state = float64(seed)
	return float64(seed >> 16 & 0x7fff)
}

func random(r *run, args []node, refs []*float64) (float64, error) {
	low, high, err := r.both(args[0], args[1])
	if err != nil {
		return 0, err
	}
	return next(refs[0])/32767*(high-low) + low, nil
}

// angle is that of a point; below the axis the reference gives a whole turn.
func angle(x, y float64) float64 {
	if a := math.Atan2(y, x); a >= 0 {
		return a
	}
	return 2 * math.Pi
}

func choose(r *run, args []node, _ []*float64) (float64, error) {
	x, err := r.eval(args[0])
	if err != nil {
		return 0, err
	}
	if x != 0 {
		return r.eval(args[1])
	}
	return r.eval(args[2])
}

// choose3 takes the second argument below zero, the third at zero, and above it
// the fourth, or the third without one.
func choose3(r *run, args []node, _ []*float64) (float64, error) {
	x, err := r.eval(args[0])
	if err != nil {
		return 0, err
	}
	switch {
	case x < 0:
		return r.eval(args[1])
	case x == 0:
		return r.eval(args[2])
	}
	return r.eval(args[len(args)-1])
}

// clip looks at its lower bound twice, as the reference does, so that the result
// is always that bound.
func clip(v []float64) (float64, error) { return v[1], nil }

// clamp brings a value into a range by going round.
func clamp(v []float64) (float64, error) {
	x, err := checked(math.Mod(v[0]-v[1], v[2]-v[1]))
	if err != nil {
		return 0, err
	}
	if x < 0 {
		return x + v[2], nil
	}
	return x + v[1], nil
}

// pointChange carries a point from one range to another.
func pointChange(v []float64) (float64, error) {
	size := v[1] - v[0]
	if size == 0 {
		return v[0], nil
	}
	return v[2] + (v[4]-v[0])/size*(v[3]-v[2]), nil
}

// polynomial has its coefficients behind x, the highest power first.
func polynomial(v []float64) (float64, error) {
	total := 0.0
	for i, c := range v[1:] {
		p, err := checked(math.Pow(v[0], float64(len(v)-2-i)))
		if err != nil {
			return 0, err
		}
		total += c * p
	}
	return total, nil
}

// loop is for(start, test, step, body...): the value is the body's last.
func loop(r *run, args []node, _ []*float64) (float64, error) {
	if _, err := r.eval(args[0]); err != nil {
		return 0, err
	}
	value := 0.0
	for {
		test, err := r.eval(args[1])
		if err != nil || test == 0 {
			return value, err
		}
		for _, body := range args[3:] {
			if value, err = r.eval(body); err != nil {
				return 0, err
			}
		}
		if _, err = r.eval(args[2]); err != nil {
			return 0, err
		}
	}
}
