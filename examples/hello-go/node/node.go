// Prints a line.
package node

import (
	"fmt"

	program "bindings/lp_node_program"
	"lp"
	"lp/wit"
)

// Run is the entry point.
func Run() wit.Outcome {
	name, _ := lp.Config("name")
	fmt.Printf("hello, %s, from Go: %d of %d\n", name, program.ReplicaIndex()+1, program.ReplicaCount())
	return wit.Done
}
