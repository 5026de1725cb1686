;; Never comes out of its start function.
(component
  (core module $code
    (func $start (loop $again (br $again)))
    (start $start)
    (func (export "run") (result i32)
      i32.const 0))
  (core instance $code (instantiate $code))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
