// The counter: keeps a sum.
package node

var total uint64

// Add adds to the sum and returns it.
func Add(n uint64) uint64 {
	total += n
	return total
}
