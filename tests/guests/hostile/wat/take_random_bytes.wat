;; Asks for 16 MiB of random bytes again and again, each time by one call of the host.
(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (core module $memory
    (memory (export "memory") 300)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
  (core instance $memory (instantiate $memory))
  (core func $bytes (canon lower (func $random "get-random-bytes")
    (memory $memory "memory") (realloc (func $memory "realloc"))))
  (core module $code
    (import "host" "bytes" (func $bytes (param i64 i32)))
    (func (export "run") (result i32)
      (loop $again
        (call $bytes (i64.const 16777216) (i32.const 0))
        (br $again))
      (i32.const 0)))
  (core instance $code (instantiate $code (with "host" (instance (export "bytes" (func $bytes))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
