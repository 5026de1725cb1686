;; Serves `counter`, with a narrower number than its callers have.
(component
  (core module $code (func (export "add") (param i32) (result i32) local.get 0))
  (core instance $code (instantiate $code))
  (func $add (param "n" u32) (result u32) (canon lift (core func $code "add")))
  (instance $counter (export "add" (func $add)))
  (export "example:counting/counter@1.0.0" (instance $counter)))
