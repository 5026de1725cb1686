;; Writes lines of 64 KiB to stdout and stderr in turns, without asking how much may be written.
(component
  (import "wasi:io/error@0.2.0" (instance $error
    (export "error" (type $error (sub resource)))))
  (alias export $error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $stream (sub resource)))
    (alias outer 1 $error (type $outer))
    (export "error" (type $of-streams (eq $outer)))
    (type $variant (variant (case "last-operation-failed" (own $of-streams)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $variant)))
    (export "[method]output-stream.write" (func
      (param "self" (borrow $stream)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $stream (type $outer))
    (export "output-stream" (type $of-stdout (eq $outer)))
    (export "get-stdout" (func (result (own $of-stdout))))))
  (import "wasi:cli/stderr@0.2.0" (instance $stderr
    (alias outer 1 $stream (type $outer))
    (export "output-stream" (type $of-stderr (eq $outer)))
    (export "get-stderr" (func (result (own $of-stderr))))))
  (core module $memory (memory (export "memory") 2))
  (core instance $memory (instantiate $memory))
  (core func $write (canon lower (func $streams "[method]output-stream.write") (memory $memory "memory")))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core func $stderr (canon lower (func $stderr "get-stderr")))
  (core module $code
    (import "host" "memory" (memory 2))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "stdout" (func $stdout (result i32)))
    (import "host" "stderr" (func $stderr (result i32)))
    (func (export "run") (result i32) (local $stdout i32) (local $stderr i32)
      (local.set $stdout (call $stdout))
      (local.set $stderr (call $stderr))
      (memory.fill (i32.const 1024) (i32.const 66) (i32.const 65535))
      (i32.store8 (i32.const 66559) (i32.const 10))
      (loop $again
        (call $write (local.get $stdout) (i32.const 1024) (i32.const 65536) (i32.const 64))
        (call $write (local.get $stderr) (i32.const 1024) (i32.const 65536) (i32.const 64))
        (br $again))
      (i32.const 0)))
  (core instance $code (instantiate $code (with "host" (instance
    (export "memory" (memory $memory "memory"))
    (export "write" (func $write)) (export "stdout" (func $stdout)) (export "stderr" (func $stderr))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
