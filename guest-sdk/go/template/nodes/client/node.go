// The client: has every counter count, and stops the program.
package node

import (
	"fmt"
	"os"
	"strings"

	counters "bindings/app_nodes_counter_handles"
	program "bindings/lp_node_program"
	"lp"
	"lp/wit"
)

// Run is the entry point.
func Run() wit.Outcome {
	all := counters.All("counters")
	for n := range uint64(3) {
		if err := count(all, n+1); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			return wit.Failed
		}
	}
	program.Stop()
	return wit.Done
}

// count adds n to every counter and prints what each then has.
func count(all []*counters.Counter, n uint64) error {
	var sums []string
	for _, counter := range all {
		sum, err := lp.Call(counter.Add(n))
		if err != nil {
			return err
		}
		sums = append(sums, fmt.Sprint(sum))
	}
	fmt.Printf("after adding %d: [%s]\n", n, strings.Join(sums, ", "))
	return nil
}
