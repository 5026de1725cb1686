// Package lp is what nodes need beside the bindings of their world, which are in the packages `bindings/…`.
package lp

import (
	"errors"

	"bindings/lp_courier_types"
	"bindings/wasi_config_store"
	"bindings/wasi_logging_logging"
	"lp/wit"
)

// What a call fails with, beside errors of which the callee says why.
var (
	ErrUnavailable      = errors.New("no replica is running that could answer")
	ErrDeadlineExceeded = errors.New("the handle's timeout has passed")
	ErrCancelled        = errors.New("the call was given up")
	ErrDenied           = errors.New("the callee takes no calls from this node")
	ErrOverloaded       = errors.New("the callee's queue is full")
	ErrTooLarge         = errors.New("the arguments or the reply are too large")
)

// Call returns the value of a call by a handle, or why there is none: one of the errors above, or what the callee failed with.
func Call[T any](result wit.Result[T, lp_courier_types.CallError]) (T, error) {
	if result.IsOk() {
		return result.Ok(), nil
	}
	var none T
	return none, reason(result.Err())
}

func reason(err lp_courier_types.CallError) error {
	switch err.Tag() {
	case lp_courier_types.CallErrorUnavailable:
		return ErrUnavailable
	case lp_courier_types.CallErrorDeadlineExceeded:
		return ErrDeadlineExceeded
	case lp_courier_types.CallErrorCancelled:
		return ErrCancelled
	case lp_courier_types.CallErrorDenied:
		return ErrDenied
	case lp_courier_types.CallErrorOverloaded:
		return ErrOverloaded
	case lp_courier_types.CallErrorTooLarge:
		return ErrTooLarge
	default:
		return errors.New(err.Failed())
	}
}

// Config returns the value that `config = { … }` in program.toml has for key, and whether it has one.
func Config(key string) (string, bool) {
	found := wasi_config_store.Get(key)
	if !found.IsOk() {
		return "", false
	}
	return found.Ok().Get()
}

// Debug writes a line to the host's log.
func Debug(message string) {
	wasi_logging_logging.Log(wasi_logging_logging.LevelDebug, "", message)
}

// Info writes a line to the host's log.
func Info(message string) {
	wasi_logging_logging.Log(wasi_logging_logging.LevelInfo, "", message)
}

// Warn writes a line to the host's log.
func Warn(message string) {
	wasi_logging_logging.Log(wasi_logging_logging.LevelWarn, "", message)
}

// Error writes a line to the host's log.
func Error(message string) {
	wasi_logging_logging.Log(wasi_logging_logging.LevelError, "", message)
}
