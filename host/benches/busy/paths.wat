;; Makes a directory of a path of 60 MiB again and again, which fails each time.
(component
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (type $codes (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist"
      "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop"
      "too-many-links" "message-size" "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory"
      "insufficient-space" "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device"
      "overflow" "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error-code (eq $codes)))
    (export "[method]descriptor.create-directory-at" (func
      (param "self" (borrow $descriptor)) (param "path" string) (result (result (error $error-code)))))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $outer))
    (export "descriptor" (type $of-preopens (eq $outer)))
    (export "get-directories" (func (result (list (tuple (own $of-preopens) string)))))))
  (core module $memory
    (memory (export "memory") 1000)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (i32.const 1024)))))
  (core instance $memory (instantiate $memory))
  (core func $make (canon lower (func $types "[method]descriptor.create-directory-at") (memory $memory "memory")))
  (core func $dirs (canon lower (func $preopens "get-directories")
    (memory $memory "memory") (realloc (func $memory "realloc"))))
  (core module $code
    (import "host" "memory" (memory 1000))
    (import "host" "make" (func $make (param i32 i32 i32 i32)))
    (import "host" "dirs" (func $dirs (param i32)))
    (func (export "run") (result i32) (local $dir i32)
      (call $dirs (i32.const 0))
      ;; The first of the list, of which the handle comes first.
      (local.set $dir (i32.load (i32.load (i32.const 0))))
      (memory.fill (i32.const 65536) (i32.const 97) (i32.const 62914560))
      (loop $again
        (call $make (local.get $dir) (i32.const 65536) (i32.const 62914560) (i32.const 0))
        (br $again))
      (i32.const 0)))
  (core instance $code (instantiate $code (with "host" (instance
    (export "memory" (memory $memory "memory")) (export "make" (func $make)) (export "dirs" (func $dirs))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
