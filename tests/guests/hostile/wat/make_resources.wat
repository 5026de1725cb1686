;; Makes resources of its own without end.
(component
  (type $thing (resource (rep i32)))
  (core func $make (canon resource.new $thing))
  (core module $code
    (import "host" "make" (func $make (param i32) (result i32)))
    (func (export "run") (result i32)
      (loop $again (drop (call $make (i32.const 7))) (br $again))
      unreachable))
  (core instance $code (instantiate $code (with "host" (instance (export "make" (func $make))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
