;; Serves a function that takes a stream.
(component
  (core module $code (func (export "drain") (param i32)))
  (core instance $code (instantiate $code))
  (func $drain (param "bytes" (stream u8)) (canon lift (core func $code "drain")))
  (instance $sink (export "drain" (func $drain)))
  (export "example:counting/sink@1.0.0" (instance $sink)))
