;; Counts for ever.
(component
  (core module $code
    
    (func (export "run") (result i32)
      (local $count i64)
      (loop $again
        (local.set $count (i64.add (local.get $count) (i64.const 1)))
        (br $again))
      unreachable))
  (core instance $code (instantiate $code))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
