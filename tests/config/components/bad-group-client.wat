;; Imports handles of `counter`, but with an `all` of another type.
(component
  (import "example:counting/counter-handles@1.0.0" (instance
    (export "counter" (type $counter (sub resource)))
    (export "all" (func (result (list (own $counter)))))))
  (core module $entry (func (export "run") (result i32) i32.const 0))
  (core instance $entry (instantiate $entry))
  (func $run (result (result)) (canon lift (core func $entry "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
