;; Fills 48 MiB of memory again and again, each time by one instruction.
(component
  (core module $code
    (memory 768)
    (func (export "run") (result i32)
      (loop $again
        (memory.fill (i32.const 0) (i32.const 65) (i32.const 50331648))
        (br $again))
      (i32.const 0)))
  (core instance $code (instantiate $code))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
