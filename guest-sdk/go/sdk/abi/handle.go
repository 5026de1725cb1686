package abi

import "runtime"

// Handle is the host's number of a resource, until it is dropped or given away.
type Handle struct {
	value int32
}

// MakeHandle returns the handle of that number.
func MakeHandle(value int32) *Handle {
	return &Handle{value}
}

// Use returns the number.
func (handle *Handle) Use() int32 {
	if handle.value == 0 {
		panic("the handle has been dropped or given away")
	}
	return handle.value
}

// Take returns the number, and makes this handle one that can't be used any more.
func (handle *Handle) Take() int32 {
	value := handle.Use()
	handle.value = 0
	return value
}

// TakeOrNil is Take, or 0 for a handle that could not be used before.
func (handle *Handle) TakeOrNil() int32 {
	value := handle.value
	handle.value = 0
	return value
}

// Set makes this handle that of another resource.
func (handle *Handle) Set(value int32) {
	if handle.value != 0 {
		panic("the handle is one already")
	}
	handle.value = value
}

// handlesMax is how many handles are made before a collection looks for those that nothing refers to any more: they are small, and
// the host has room for 100,000 of them.
const handlesMax = 10_000

// made is how many handles were made since then.
var made int

// AddCleanup has a handle dropped that nothing refers to any more.
func AddCleanup[T, S any](pointer *T, cleanup func(S), argument S) runtime.Cleanup {
	made++
	return runtime.AddCleanup(pointer, cleanup, argument)
}
