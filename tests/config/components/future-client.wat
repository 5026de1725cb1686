;; Runs, and calls a version of `counter` that no component here serves.
(component
  (import "example:counting/counter@2.0.0" (instance
    (export "add" (func (param "n" u64) (result u64)))))
  (core module $entry (func (export "run") (result i32) i32.const 0))
  (core instance $entry (instantiate $entry))
  (func $run (result (result)) (canon lift (core func $entry "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
