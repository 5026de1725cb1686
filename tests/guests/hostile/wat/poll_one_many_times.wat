;; Polls a list of 20,000 handles, all of one timer.
(component
  (import "wasi:io/poll@0.2.0" (instance $io
    (export "pollable" (type $pollable (sub resource)))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (alias export $io "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $of-clock (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $of-clock))))))
  (core module $memory
    (memory (export "memory") 8)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 262144)))
  (core instance $memory (instantiate $memory))
  (core func $poll (canon lower (func $io "poll") (memory $memory "memory") (realloc (func $memory "realloc"))))
  (core func $timer (canon lower (func $clock "subscribe-duration")))
  (core module $code
    (import "host" "memory" (memory 8))
    (import "host" "poll" (func $poll (param i32 i32 i32)))
    (import "host" "timer" (func $timer (param i64) (result i32)))
    (func (export "run") (result i32) (local $timer i32) (local $place i32)
      (local.set $timer (call $timer (i64.const 0)))
      (local.set $place (i32.const 65536))
      (loop $more
        (i32.store (local.get $place) (local.get $timer))
        (local.set $place (i32.add (local.get $place) (i32.const 4)))
        (br_if $more (i32.lt_u (local.get $place) (i32.const 145536))))
      (call $poll (i32.const 65536) (i32.const 20000) (i32.const 0))
      (i32.const 0)))
  (core instance $code (instantiate $code (with "host" (instance
    (export "memory" (memory $memory "memory")) (export "poll" (func $poll)) (export "timer" (func $timer))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
