;; Passes a list of 400,000 strings to another node again and again.
(component
  (import "bench:busy/lists" (instance $lists (export "take" (func (param "items" (list string)) (result u32)))))
  (core module $memory (memory (export "memory") 60))
  (core instance $memory (instantiate $memory))
  (core func $take (canon lower (func $lists "take") (memory $memory "memory")))
  (core module $code
    (import "host" "memory" (memory 60))
    (import "host" "take" (func $take (param i32 i32) (result i32)))
    (func (export "run") (result i32) (local $place i32)
      (memory.fill (i32.const 0) (i32.const 65) (i32.const 16))
      (local.set $place (i32.const 65536))
      (loop $more
        (i32.store offset=4 (local.get $place) (i32.const 16))
        (local.set $place (i32.add (local.get $place) (i32.const 8)))
        (br_if $more (i32.lt_u (local.get $place) (i32.const 3265536))))
      (loop $again
        (drop (call $take (i32.const 65536) (i32.const 400000)))
        (br $again))
      (i32.const 0)))
  (core instance $code (instantiate $code (with "host" (instance
    (export "memory" (memory $memory "memory")) (export "take" (func $take))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
