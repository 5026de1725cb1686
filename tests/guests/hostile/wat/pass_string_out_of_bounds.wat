;; Logs text beyond its memory.
(component
  (import "wasi:logging/logging@0.1.0-draft" (instance $logging
    (type $enum (enum "trace" "debug" "info" "warn" "error" "critical"))
    (export "level" (type $level (eq $enum)))
    (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
  (core module $memory (memory (export "memory") 17))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $bytes))
  (core func $log (canon lower (func $logging "log") (memory $bytes)))
  (core module $code
    (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
    (import "host" "memory" (memory 17))
    (func (export "run") (result i32)
      (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 1000000) (i32.const 1000000))
      i32.const 0))
  (core instance $code (instantiate $code (with "host" (instance
    (export "log" (func $log))
    (export "memory" (memory $bytes))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
