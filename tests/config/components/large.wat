;; Runs, and starts with a memory and a table that are larger than those of most.
(component
  (core module $code
    (memory i64 131072)
    (table 200000 funcref)
    (func (export "run") (result i32) i32.const 0))
  (core instance $code (instantiate $code))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
