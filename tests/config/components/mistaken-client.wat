;; Imports interfaces of the host by wrong versions and wrong names.
(component
  (import "wasi:clocks/wall-clock@0.9.0" (instance (export "f" (func))))
  (import "wasi:clocks/system-clock@0.3.0-rc-2026-02-09" (instance (export "f" (func))))
  (import "wasi:random/random" (instance (export "f" (func))))
  (import "wasi:config/runtime@0.2.0-draft" (instance (export "f" (func))))
  (import "wasi:cli/enviroment@0.2.6" (instance (export "f" (func))))
  (import "wasi:sockets/raw@0.2.6" (instance (export "f" (func))))
  (import "lp:node/unknown@0.1.0" (instance (export "f" (func))))
  (import "lp:nodes/program@0.1.0" (instance (export "f" (func))))
  (import "lp:courier/mailbox@0.1.0" (instance (export "f" (func))))
  ;; Nobody has to serve types.
  (import "wasi:clocks/types@0.3.0-rc-2026-02-09" (instance (type $t u64) (export "duration" (type (eq $t)))))
  (core module $entry (func (export "run") (result i32) i32.const 0))
  (core instance $entry (instantiate $entry))
  (func $run (result (result)) (canon lift (core func $entry "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
