package node

import (
	"fmt"
	"math"
	"reflect"
	"strings"

	program "bindings/lp_node_program"
	values "bindings/test_matrix_values"
	"lp/wit"
)

// same says whether two values are the same, where a NaN is the same as another one and zeros have a sign.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		x, y := a.Float(), b.Float()
		return math.IsNaN(x) && math.IsNaN(y) || x == y && math.Signbit(x) == math.Signbit(y)
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Interface:
		return a.IsNil() && b.IsNil() || !a.IsNil() && !b.IsNil() && a.Elem().Type() == b.Elem().Type() && same(a.Elem(), b.Elem())
	default:
		return a.Equal(b)
	}
}

func check[T any](name string, found, expected T) {
	if !same(reflect.ValueOf(found), reflect.ValueOf(expected)) {
		panic(fmt.Sprintf("%s: %.80v became %.80v", name, fmt.Sprint(expected), fmt.Sprint(found)))
	}
}

// each sends values and compares what comes back.
func each[T any](name string, echo func(T) T, all ...T) {
	for _, value := range all {
		check(name, echo(value), value)
	}
}

var (
	largestU32  uint32 = math.MaxUint32
	largestU64  uint64 = math.MaxUint64
	largestS64  int64  = math.MaxInt64
	smallestS64 int64  = math.MinInt64
)

func checkNumbers() {
	each("bool", values.EchoBool, false, true)
	each("u8", values.EchoU8, 0, 255)
	each("s8", values.EchoS8, -128, 127)
	each("u16", values.EchoU16, 0, 65535)
	each("s16", values.EchoS16, -32768, 32767)
	each("u32", values.EchoU32, 0, largestU32)
	each("s32", values.EchoS32, math.MinInt32, math.MaxInt32)
	each("u64", values.EchoU64, 0, largestU64)
	each("s64", values.EchoS64, smallestS64, largestS64)
	inf, nan, minus := math.Inf(1), math.NaN(), math.Copysign(0, -1)
	each("f32", values.EchoF32, 0, float32(minus), 1.5, float32(inf), float32(-inf), float32(nan))
	each("f64", values.EchoF64, 5e-324, -math.MaxFloat64, minus, inf, -inf, nan)
	each("char", values.EchoChar, 'a', 0, 'ß', '🦀', 0x10ffff)
	each("colour", values.EchoColour, values.ColourRed, values.ColourGreen, values.ColourBlue)
	each("few", values.EchoFew, 0, values.FewB, values.FewA|values.FewC)
	each("many", values.EchoMany, 0, values.ManyF31, math.MaxUint32)
	each("option", values.EchoOption, wit.None[uint32](), wit.Some[uint32](0), wit.Some[uint32](7))
}

func checkLists() {
	large, numbers := make([]uint8, 1<<20), make([]uint32, 1<<18)
	for i := range large {
		large[i] = uint8(i)
	}
	for i := range numbers {
		numbers[i] = uint32(i)
	}
	each("bytes", values.EchoBytes, nil, large)
	each("u32s", values.EchoU32s, nil, []uint32{0, largestU32}, numbers)
	each("s64s", values.EchoS64s, nil, []int64{smallestS64, largestS64})
	each("f64s", values.EchoF64s, nil, []float64{0, math.NaN(), math.Inf(-1)})
	each("string", values.EchoString, "", "grüße 🦀", strings.Repeat("x", 1<<20))
	each("strings", values.EchoStrings, nil, []string{"", "a", "🦀"})
	each("lists", values.EchoLists, nil, [][]uint16{nil, {1, 65535}, nil})
	each("options", values.EchoOptions, nil, []wit.Option[bool]{wit.None[bool](), wit.Some(true), wit.Some(false)})
	each("pairs", values.EchoPairs, nil, []wit.Tuple2[string, uint32]{{F0: "a", F1: 1}, {F1: largestU32}})
	ok, err := wit.Ok[uint32, string], wit.Err[uint32, string]
	each("results", values.EchoResults, nil, []wit.Result[uint32, string]{ok(7), err("why"), ok(0), err("")})
}

func checkRecords() {
	at := point{X: 0.5, Y: -1e300}
	full := sample{Name: "näme", Id: largestU64, At: at, Tags: []string{"", "b"}, Note: wit.Some("note")}
	bare := sample{At: point{Y: math.Copysign(0, -1)}}
	each("point", values.EchoPoint, at)
	each("sample", values.EchoSample, full, bare)
	weights := []float32{1.5, float32(math.Copysign(0, -1))}
	each("batch", values.EchoBatch, batch{}, batch{Samples: []sample{full, bare}, Weights: weights})
	type tuple = wit.Tuple3[uint8, string, float32]
	a, b, c := values.EchoTuple(tuple{F0: 255, F1: "é", F2: 0.25})
	check("tuple", tuple{F0: a, F1: b, F2: c}, tuple{F0: 255, F1: "é", F2: 0.25})
	sent := mixed{F0: 255, F1: "b", F2: math.Copysign(0, -1), F3: wit.Some(largestU64), F4: make([]uint8, 1000)}
	var found mixed
	found.F0, found.F1, found.F2, found.F3, found.F4 = values.EchoMixed(sent.F0, sent.F1, sent.F2, sent.F3, sent.F4)
	check("mixed", found, sent)
}

func checkCases() {
	shapes := []shape{
		values.MakeShapeEmpty(),
		values.MakeShapeCircle(2.5),
		values.MakeShapePolygon([]point{{X: 0.5, Y: -1e300}}),
		values.MakeShapeNamed("é"),
	}
	each("shape", values.EchoShape, shapes...)
	each("shapes", values.EchoShapes, nil, shapes)
	each("nested-option", values.EchoNestedOption,
		wit.None[wit.Option[string]](), wit.Some(wit.None[string]()), wit.Some(wit.Some("")), wit.Some(wit.Some("x")))
	check("result", values.EchoResult(true, "fine"), wit.Ok[string, colour]("fine"))
	check("result", values.EchoResult(false, ""), wit.Err[string](values.ColourBlue))
}

// Run is the entry point.
func Run() wit.Outcome {
	checkNumbers()
	checkLists()
	checkRecords()
	checkCases()
	check("count", values.Count([]uint8("abca"), 'a'), 2)
	values.Nothing()
	fmt.Println("every value came back")
	program.Stop()
	return wit.Done
}
