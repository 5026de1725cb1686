;; Makes streams without end.
(component
  (type $bytes (stream u8))
  (core func $make (canon stream.new $bytes))
  (core module $code
    (import "host" "make" (func $make (result i64)))
    (func (export "run") (result i32)
      (loop $again (drop (call $make)) (br $again))
      unreachable))
  (core instance $code (instantiate $code (with "host" (instance (export "make" (func $make))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
