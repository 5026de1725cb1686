;; Runs, and resets a table of a replay node.
(component
  (import "lp:courier/types@0.1.0" (instance $types
    (type $error (variant (case "unavailable") (case "deadline-exceeded") (case "cancelled") (case "denied")
      (case "overloaded") (case "too-large") (case "failed" string)))
    (export "call-error" (type (eq $error)))))
  (alias export $types "call-error" (type $call-error))
  (import "lp:replay/admin@0.1.0" (instance
    (export "call-error" (type $call-error' (eq $call-error)))
    (export "reset" (func async (param "table" string) (result (result (error $call-error')))))))
  (core module $entry (func (export "run") (result i32) i32.const 0))
  (core instance $entry (instantiate $entry))
  (func $run (result (result)) (canon lift (core func $entry "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
