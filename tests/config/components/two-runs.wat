;; Exports the entry point of both versions; the older one fails.
(component
  (core module $entry
    (func (export "fail") (result i32) i32.const 1)
    (func (export "succeed") (result i32) i32.const 0))
  (core instance $entry (instantiate $entry))
  (func $fail (result (result)) (canon lift (core func $entry "fail")))
  (instance $old (export "run" (func $fail)))
  (export "wasi:cli/run@0.2.0" (instance $old))
  (func $succeed async (result (result)) (canon lift (core func $entry "succeed")))
  (instance $new (export "run" (func $succeed)))
  (export "wasi:cli/run@0.3.0" (instance $new)))
