// Implements every function of `values`, and calls every one of the node that it has a handle of.
package node

import (
	"bytes"

	"bindings/test_matrix_values"
	"lp/wit"
)

type (
	point  = test_matrix_values.Point
	sample = test_matrix_values.Sample
	batch  = test_matrix_values.Batch
	shape  = test_matrix_values.Shape
	colour = test_matrix_values.Colour
	mixed  = wit.Tuple5[uint8, string, float64, wit.Option[uint64], []uint8]
)

func EchoBool(v bool) bool              { return v }
func EchoU8(v uint8) uint8              { return v }
func EchoS8(v int8) int8                { return v }
func EchoU16(v uint16) uint16           { return v }
func EchoS16(v int16) int16             { return v }
func EchoU32(v uint32) uint32           { return v }
func EchoS32(v int32) int32             { return v }
func EchoU64(v uint64) uint64           { return v }
func EchoS64(v int64) int64             { return v }
func EchoF32(v float32) float32         { return v }
func EchoF64(v float64) float64         { return v }
func EchoChar(v rune) rune              { return v }
func EchoString(v string) string        { return v }
func EchoBytes(v []uint8) []uint8       { return v }
func EchoU32s(v []uint32) []uint32      { return v }
func EchoS64s(v []int64) []int64        { return v }
func EchoF64s(v []float64) []float64    { return v }
func EchoStrings(v []string) []string   { return v }
func EchoLists(v [][]uint16) [][]uint16 { return v }
func EchoPoint(v point) point           { return v }
func EchoSample(v sample) sample        { return v }
func EchoBatch(v batch) batch           { return v }
func EchoShape(v shape) shape           { return v }
func EchoShapes(v []shape) []shape      { return v }
func EchoColour(v colour) colour        { return v }
func EchoFew(v uint8) uint8             { return v }
func EchoMany(v uint32) uint32          { return v }
func Nothing()                          {}
func Count(v []uint8, of uint8) uint32  { return uint32(bytes.Count(v, []uint8{of})) }

func EchoOption(v wit.Option[uint32]) wit.Option[uint32]                    { return v }
func EchoOptions(v []wit.Option[bool]) []wit.Option[bool]                   { return v }
func EchoPairs(v []wit.Tuple2[string, uint32]) []wit.Tuple2[string, uint32] { return v }

func EchoNestedOption(v wit.Option[wit.Option[string]]) wit.Option[wit.Option[string]] {
	return v
}

func EchoTuple(v wit.Tuple3[uint8, string, float32]) (uint8, string, float32) {
	return v.F0, v.F1, v.F2
}

func EchoResult(ok bool, v string) wit.Result[string, colour] {
	if ok {
		return wit.Ok[string, colour](v)
	}
	return wit.Err[string](test_matrix_values.ColourBlue)
}

func EchoResults(v []wit.Result[uint32, string]) []wit.Result[uint32, string] {
	return v
}

func EchoMixed(a uint8, b string, c float64, d wit.Option[uint64], e []uint8) (uint8, string, float64, wit.Option[uint64], []uint8) {
	return a, b, c, d, e
}
