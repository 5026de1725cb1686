;; Serves `counter` by calling another `counter`.
(component
  (import "example:counting/counter@1.0.0" (instance
    (export "add" (func (param "n" u64) (result u64)))))
  (core module $code (func (export "add") (param i64) (result i64) local.get 0))
  (core instance $code (instantiate $code))
  (func $add async (param "n" u64) (result u64) (canon lift (core func $code "add")))
  (instance $counter (export "add" (func $add)))
  (export "example:counting/counter@1.0.0" (instance $counter)))
