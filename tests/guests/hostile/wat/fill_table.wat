;; Fills a table of 100,000 elements again and again, each time by one instruction.
(component
  (core module $code
    (table 100000 funcref)
    (func (export "run") (result i32)
      (loop $again
        (table.fill (i32.const 0) (ref.null func) (i32.const 100000))
        (br $again))
      (i32.const 0)))
  (core instance $code (instantiate $code))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
