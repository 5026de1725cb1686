// Passes calls on to the meeting, and makes such calls one after the other: a call that waits holds a node in Go.
package node

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	program "bindings/lp_node_program"
	"bindings/test_meeting_meeting"
	relays "bindings/test_meeting_relay_handles"
	"lp"
	"lp/wit"
)

func Pass(of uint32) uint32  { return test_meeting_meeting.Meet(of) }
func Echo(v []uint8) []uint8 { return v }

// send makes calls with 1 KiB each.
func send(relay *relays.Relay, calls int) error {
	payload := bytes.Repeat([]uint8{'x'}, 1024)
	for range calls {
		found, err := lp.Call(relay.Echo(payload))
		if err != nil {
			return err
		}
		if !bytes.Equal(found, payload) {
			return errors.New("bytes were lost")
		}
	}
	return nil
}

func call() error {
	relay := relays.All("relay")[0]
	met, err := lp.Call(relay.Pass(1))
	if err != nil {
		return err
	}
	fmt.Printf("1 calls met %d\n", met)
	calls, _ := lp.Config("calls")
	number, _ := strconv.Atoi(calls)
	return send(relay, number)
}

// Run is the entry point.
func Run() wit.Outcome {
	if err := call(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return wit.Failed
	}
	program.Stop()
	return wit.Done
}
