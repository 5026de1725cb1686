;; Computes without end, in steps of no length.
(component
  (core module $code
    (func (export "run") (result i32)
      (loop $again (br $again))
      (i32.const 0)))
  (core instance $code (instantiate $code))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
