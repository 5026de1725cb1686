;; Serves `clock`, which no other component here imports.
(component
  (core module $code (func (export "now") (result i64) i64.const 0))
  (core instance $code (instantiate $code))
  (func $now (result u64) (canon lift (core func $code "now")))
  (instance $clock (export "now" (func $now)))
  (export "example:counting/clock@1.0.0" (instance $clock)))
