;; Takes lists of strings, and forgets each before the next.
(component
  (core module $memory
    (memory (export "memory") 400)
    (global $next (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next
        (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 15)) (i32.const -16))))
    (func (export "take") (param i32 i32) (result i32)
      (global.set $next (i32.const 65536))
      (local.get 1)))
  (core instance $memory (instantiate $memory))
  (func $take (param "items" (list string)) (result u32)
    (canon lift (core func $memory "take") (memory $memory "memory") (realloc (func $memory "realloc"))))
  (instance $lists (export "take" (func $take)))
  (export "bench:busy/lists" (instance $lists)))
