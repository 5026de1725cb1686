;; Takes and returns lists of a type of 2^14 small values, of which a message says nothing where they are zero.
(component
  (type $t0 u8) (type $t1 (tuple $t0 $t0)) (type $t2 (tuple $t1 $t1)) (type $t3 (tuple $t2 $t2)) (type $t4 (tuple $t3
  $t3)) (type $t5 (tuple $t4 $t4)) (type $t6 (tuple $t5 $t5)) (type $t7 (tuple $t6 $t6)) (type $t8 (tuple $t7 $t7)) (type
  $t9 (tuple $t8 $t8)) (type $t10 (tuple $t9 $t9)) (type $t11 (tuple $t10 $t10)) (type $t12 (tuple $t11 $t11)) (type
  $t13 (tuple $t12 $t12)) (type $t14 (tuple $t13 $t13))
  (core module $memory
    (memory (export "memory") 16)
    (global $next (mut i32) (i32.const 65536))
    (func $realloc (export "realloc") (param i32 i32 i32 i32) (result i32) (local $place i32)
      (local.set $place (global.get $next))
      (global.set $next (i32.and (i32.add (i32.add (local.get $place) (local.get 3)) (i32.const 15)) (i32.const -16)))
      (block $fits
        (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
        (br_if $fits (i32.ne (i32.const -1) (memory.grow
          (i32.add (i32.const 1) (i32.shr_u (local.get 3) (i32.const 16))))))
        unreachable)
      (local.get $place))
    (func (export "take") (param i32 i32) (result i32) (local.get 1))
    (func (export "give") (param $count i32) (result i32)
      (i32.store (i32.const 64)
        (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.mul (local.get $count) (i32.const 16384))))
      (i32.store (i32.const 68) (local.get $count))
      (i32.const 64)))
  (core instance $memory (instantiate $memory))
  (func $take (param "list" (list $t14)) (result u32)
    (canon lift (core func $memory "take") (memory $memory "memory") (realloc (func $memory "realloc"))))
  (func $give (param "count" u32) (result (list $t14))
    (canon lift (core func $memory "give") (memory $memory "memory")))
  (instance $wide (export "take" (func $take)) (export "give" (func $give)))
  (export "test:hostile/wide" (instance $wide)))
