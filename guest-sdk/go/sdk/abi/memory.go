// Package abi is what the bindings need of a node's memory and its handles. Nodes have no use for it.
package abi

import (
	"runtime"
	"unsafe"
)

// Whenever the host has something to write, it calls `cabi_realloc`, and traps the node if that calls the host. A garbage
// collection would: it reads clocks, and lets other goroutines run. But none starts, and none that has started makes an
// allocation take part in it, while the thread holds a lock of the runtime. procPin counts as one.

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

// Has the adapter answer with the time that it last read, since an allocation that makes the heap grow may ask for it.
//
//go:wasmimport wasi_snapshot_preview1 adapter_monotonic_clock_set_paused
func pauseClock(paused bool)

// How much the host may write before a collection is due at the next opportunity.
const dueBytes = 256 << 10

// A size that the allocator has no class of its own for.
const largeBytes = 40 << 10

var (
	// written is how many bytes the host wrote since a collection was last thought of.
	written uintptr
	large   []byte
	// isCalling is whether a call of the host is under way.
	isCalling bool
	// arguments has what the host wrote for an export that has not begun to use it. Nothing else refers to it.
	arguments []unsafe.Pointer
	// early is for the adapter, which allocates its state before the runtime has a heap.
	early     [2 << 16]byte
	earlyUsed uintptr
	hasHeap   bool
)

func init() {
	hasHeap = true
}

// Pinner keeps what the host is given where it is. The zero value is one for results.
type Pinner struct {
	pinned runtime.Pinner
	isCall bool
}

// BeginCall is for the arguments and the result of a call of the host. Until its Unpin nothing is collected and no other
// goroutine runs, so that what the host wrote is still there when the bindings have made values of it.
func BeginCall() *Pinner {
	procPin()
	isCalling = true
	return &Pinner{isCall: true}
}

// BeginResults is for what an export returns. The host has done with what it returned before, which can't be let go of as
// soon as that is so: what the host then calls may not call it either, as little as `cabi_realloc` may.
func BeginResults(pinner *Pinner) *Pinner {
	pinner.Unpin()
	return pinner
}

// Pin keeps what pointer points to.
func (pinner *Pinner) Pin(pointer unsafe.Pointer) {
	pinner.pinned.Pin(pointer)
}

// Unpin lets go of all that was pinned.
func (pinner *Pinner) Unpin() {
	pinner.pinned.Unpin()
	if pinner.isCall {
		isCalling = false
		procUnpin()
		collect()
	}
}

// Unpin is called by an export when it has made values of its arguments.
func Unpin() {
	clear(arguments)
	arguments = arguments[:0]
	collect()
}

// collect has the garbage collector see what the host has written, since it took no part in that. A node that allocates
// nothing itself would never collect. An allocation of more than the classes of sizes starts a collection if one is due, and
// works off what this goroutine owes to one that is under way.
func collect() {
	if made > handlesMax {
		made = 0
		runtime.GC()
		// The cleanups have a goroutine of their own.
		runtime.Gosched()
	}
	if written < dueBytes {
		return
	}
	written = 0
	large = make([]byte, largeBytes)
	large = nil
	runtime.Gosched()
}

// Allocate returns memory that is kept until pinner lets go of it.
func Allocate(pinner *Pinner, size, align uintptr) unsafe.Pointer {
	pointer := allocate(size, align)
	if pointer != nil {
		pinner.Pin(pointer)
	}
	return pointer
}

// allocate returns memory that the garbage collector does not look for pointers in.
func allocate(size, align uintptr) unsafe.Pointer {
	switch {
	case size == 0:
		return nil
	case align == 1:
		return unsafe.Pointer(unsafe.SliceData(make([]uint8, size)))
	case align == 2:
		return unsafe.Pointer(unsafe.SliceData(make([]uint16, (size+1)/2)))
	case align == 4:
		return unsafe.Pointer(unsafe.SliceData(make([]uint32, (size+3)/4)))
	default:
		return unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
	}
}

// The runtime may grow the stack of a function that is not nosplit, before the clock is paused.
//
//go:wasmexport cabi_realloc
//go:nosplit
func cabiRealloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if !hasHeap {
		return allocateEarly(size, align)
	}
	procPin()
	pauseClock(true)
	pointer := allocateForHost(size, align)
	pauseClock(false)
	procUnpin()
	return pointer
}

//go:noinline
func allocateForHost(size, align uintptr) unsafe.Pointer {
	pointer := allocate(size, align)
	written += size
	if !isCalling && pointer != nil {
		arguments = append(arguments, pointer)
	}
	return pointer
}

//go:nosplit
func allocateEarly(size, align uintptr) unsafe.Pointer {
	start := uintptr(unsafe.Pointer(&early))
	begin := (start + earlyUsed + align - 1) &^ (align - 1)
	if begin+size > start+uintptr(len(early)) {
		return nil
	}
	earlyUsed = begin + size - start
	return unsafe.Pointer(begin)
}
