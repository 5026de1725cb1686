// Package wit has the types of WIT that Go has no own types for.
package wit

// Unit is the value of a result that has none.
type Unit struct{}

// The tags of options and results.
const (
	OptionNone uint8 = 0
	OptionSome uint8 = 1
	ResultOk   uint8 = 0
	ResultErr  uint8 = 1
)

// Option is a value or none. The zero value is none.
type Option[T any] struct {
	tag   uint8
	value T
}

// Some returns an option with a value.
func Some[T any](value T) Option[T] {
	return Option[T]{OptionSome, value}
}

// None returns an option without a value.
func None[T any]() Option[T] {
	return Option[T]{}
}

// Get returns the value and whether there is one.
func (option Option[T]) Get() (T, bool) {
	return option.value, option.tag == OptionSome
}

// IsSome says whether there is a value.
func (option Option[T]) IsSome() bool {
	return option.tag == OptionSome
}

// Some returns the value, and panics if there is none.
func (option Option[T]) Some() T {
	if option.tag != OptionSome {
		panic("an option without a value")
	}
	return option.value
}

// Tag is OptionNone or OptionSome.
func (option Option[T]) Tag() uint8 {
	return option.tag
}

// Result is the result of something that may fail.
type Result[T any, E any] struct {
	tag uint8
	ok  T
	err E
}

// Ok returns the result of what has gone well.
func Ok[T any, E any](value T) Result[T, E] {
	return Result[T, E]{tag: ResultOk, ok: value}
}

// Err returns the result of what has failed.
func Err[T any, E any](value E) Result[T, E] {
	return Result[T, E]{tag: ResultErr, err: value}
}

// IsOk says whether it has gone well.
func (result Result[T, E]) IsOk() bool {
	return result.tag == ResultOk
}

// Ok returns the value, and panics if there is an error instead.
func (result Result[T, E]) Ok() T {
	if result.tag != ResultOk {
		panic("a result that is an error")
	}
	return result.ok
}

// Err returns the error, and panics if there is a value instead.
func (result Result[T, E]) Err() E {
	if result.tag != ResultErr {
		panic("a result that is no error")
	}
	return result.err
}

// Tag is ResultOk or ResultErr.
func (result Result[T, E]) Tag() uint8 {
	return result.tag
}

// Outcome is what a node's `Run` returns: Done or Failed.
type Outcome = Result[Unit, Unit]

// The values of Outcome.
var (
	Done   = Ok[Unit, Unit](Unit{})
	Failed = Err[Unit](Unit{})
)
