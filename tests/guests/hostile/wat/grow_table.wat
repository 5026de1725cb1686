;; Grows its table until there is no room left.
(component
  (core module $code
    (table $table 10 funcref)
    (func (export "run") (result i32)
      (loop $more
        (br_if $more (i32.ne (table.grow $table (ref.null func) (i32.const 100)) (i32.const -1))))
      unreachable))
  (core instance $code (instantiate $code))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
