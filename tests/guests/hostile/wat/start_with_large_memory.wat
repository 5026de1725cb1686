;; Has more memory than it may from the start: in two memories, each of which it may have.
(component
  (core module $code
    (memory 300)
    (memory 300)
    (func (export "run") (result i32)
      i32.const 0))
  (core instance $code (instantiate $code))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
