;; Makes sockets without end.
(component
  (import "wasi:sockets/network@0.2.0" (instance $network
    (type $code' (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout"
      "concurrency-conflict" "not-in-progress" "would-block" "invalid-state" "new-socket-limit"
      "address-not-bindable" "address-in-use" "remote-unreachable" "connection-refused" "connection-reset"
      "connection-aborted" "datagram-too-large" "name-unresolvable" "temporary-resolver-failure"
      "permanent-resolver-failure"))
    (export "error-code" (type (eq $code')))
    (type $family' (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $family')))))
  (alias export $network "error-code" (type $error-code))
  (alias export $network "ip-address-family" (type $family))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp (export "tcp-socket" (type (sub resource)))))
  (alias export $tcp "tcp-socket" (type $socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
    (export "error-code" (type $error-code' (eq $error-code)))
    (export "ip-address-family" (type $family' (eq $family)))
    (export "tcp-socket" (type $socket' (eq $socket)))
    (export "create-tcp-socket" (func (param "address-family" $family')
      (result (result (own $socket') (error $error-code')))))))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $bytes))
  (core func $make (canon lower (func $create "create-tcp-socket") (memory $bytes)))
  (core module $code
    (import "host" "make" (func $make (param i32 i32)))
    (import "host" "memory" (memory 1))
    (func (export "run") (result i32)
      (loop $again
        (call $make (i32.const 0) (i32.const 8))
        (br_if $again (i32.eqz (i32.load8_u (i32.const 8)))))
      i32.const 1))
  (core instance $code (instantiate $code (with "host" (instance
    (export "make" (func $make))
    (export "memory" (memory $bytes))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
