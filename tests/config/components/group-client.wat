;; Runs, and calls any number of `counter`s through handles.
(component
  (import "example:counting/counter-handles@1.0.0" (instance
    (export "counter" (type $counter (sub resource)))
    (type $error' (variant (case "unavailable") (case "deadline-exceeded") (case "cancelled") (case "denied")
      (case "overloaded") (case "too-large") (case "failed" string)))
    (export "call-error" (type $error (eq $error')))
    (export "[method]counter.add" (func (param "self" (borrow $counter)) (param "n" u64)
      (result (result u64 (error $error)))))
    (export "all" (func (param "name" string) (result (list (own $counter)))))))
  (core module $entry (func (export "run") (result i32) i32.const 0))
  (core instance $entry (instantiate $entry))
  (func $run (result (result)) (canon lift (core func $entry "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
