;; Passes 3000 zeros of a wide type, 6 KB that become 48 MiB, and traps if they are taken.
(component
  (type $t0 u8) (type $t1 (tuple $t0 $t0)) (type $t2 (tuple $t1 $t1)) (type $t3 (tuple $t2 $t2)) (type $t4 (tuple $t3
  $t3)) (type $t5 (tuple $t4 $t4)) (type $t6 (tuple $t5 $t5)) (type $t7 (tuple $t6 $t6)) (type $t8 (tuple $t7 $t7)) (type
  $t9 (tuple $t8 $t8)) (type $t10 (tuple $t9 $t9)) (type $t11 (tuple $t10 $t10)) (type $t12 (tuple $t11 $t11)) (type
  $t13 (tuple $t12 $t12)) (type $t14 (tuple $t13 $t13))
  (import "test:hostile/wide" (instance $wide (export "take" (func (param "list" (list $t14)) (result u32)))))
  (core module $memory (memory (export "memory") 800)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $memory (instantiate $memory))
  (core func $call (canon lower (func $wide "take") (memory $memory "memory")))
  (core module $code
    (import "host" "call" (func $call (param i32 i32) (result i32)))
    (func (export "run") (result i32)
      (if (i32.eq (i32.const 3000) (call $call (i32.const 65536) (i32.const 3000))) (then unreachable))
      (i32.const 1)))
  (core instance $code (instantiate $code (with "host" (instance (export "call" (func $call))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
