;; Returns a list that is longer than its memory.
(component
  (core module $code
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      i32.const 1024)
    (func (export "attack") (param i32 i32) (result i32)
      (i32.store (i32.const 8) (i32.const 65000)) (i32.store (i32.const 12) (i32.const 1000)) i32.const 8)
    (func (export "post-return") (param i32)
      ))
  (core instance $code (instantiate $code))
  (alias core export $code "memory" (core memory $memory))
  (func $attack async (param "data" (list u8)) (result (list u8))
    (canon lift (core func $code "attack") (memory $memory)
      (realloc (func $code "realloc")) (post-return (func $code "post-return"))))
  (instance $victim (export "attack" (func $attack)))
  (export "test:hostile/victim" (instance $victim)))
