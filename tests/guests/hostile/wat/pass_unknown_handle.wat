;; Drops a resource that it does not have.
(component
  (type $thing (resource (rep i32)))
  (core func $make (canon resource.drop $thing))
  (core module $code
    (import "host" "make" (func $make (param i32)))
    (func (export "run") (result i32)
      (call $make (i32.const 12345))
      i32.const 0))
  (core instance $code (instantiate $code (with "host" (instance (export "make" (func $make))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
