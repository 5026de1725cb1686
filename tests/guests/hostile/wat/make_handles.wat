;; Makes timers of the host's without end.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "pollable" (type $pollable' (eq $pollable)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable'))))))
  (core func $make (canon lower (func $clock "subscribe-duration")))
  (core module $code
    (import "host" "make" (func $make (param i64) (result i32)))
    (func (export "run") (result i32)
      (loop $again (drop (call $make (i64.const 1000000000000))) (br $again))
      unreachable))
  (core instance $code (instantiate $code (with "host" (instance (export "make" (func $make))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
