;; Imports an interface of WASI 0.3, and is itself without `async`.
(component
  (import "wasi:random/random@0.3.0" (instance $random (export "get-random-u64" (func (result u64)))))
  (core func $draw (canon lower (func $random "get-random-u64")))
  (core module $entry
    (import "random" "draw" (func $draw (result i64)))
    (func (export "run") (result i32) (drop (call $draw)) i32.const 0))
  (core instance $entry (instantiate $entry (with "random" (instance (export "draw" (func $draw))))))
  (func $run (result (result)) (canon lift (core func $entry "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
