;; Runs, and calls a function of `counter` that no component here has.
(component
  (import "example:counting/counter@1.0.0" (instance
    (export "reset" (func))))
  (core module $entry (func (export "run") (result i32) i32.const 0))
  (core instance $entry (instantiate $entry))
  (func $run (result (result)) (canon lift (core func $entry "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
