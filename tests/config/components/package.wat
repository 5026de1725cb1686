;; A WIT package in its binary form: `package example:counting; interface counter { add: func(n: u64) -> u64; }`.
(component
  (type (component
    (type (instance
      (type (func (param "n" u64) (result u64)))
      (export "add" (func (type 0)))))
    (export "example:counting/counter" (instance (type 0)))))
  (export "counter" (type 0)))
