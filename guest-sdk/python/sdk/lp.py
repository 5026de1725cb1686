"""What a node can ask of its host: who it is, its configuration, log lines, and the end of the program.

Your own interfaces are in `wit_world`: `wit_world.exports` has a class to derive from for each that the node exports, and
`wit_world.imports` a module for each that it imports.
"""

import logging as _logging
import sys as _sys

import lp_live as _live
from componentize_py_types import Err
from wit_world.imports import lp_config as _config
from wit_world.imports import lp_logging as _host
from wit_world.imports import lp_program as program

__all__ = ["Err", "config", "program"]


def config(key, default=None, parse=str):
    """The value that `config = { … }` in program.toml has for `key`, through `parse`; `default` if it has none."""
    text = _config.get(key)
    return default if text is None else parse(text)


class _HostHandler(_logging.Handler):
    """Hands the records of the module `logging` to the host, which shows them with the node's name."""

    def emit(self, record):
        levels = [
            (_logging.CRITICAL, _host.Level.CRITICAL),
            (_logging.ERROR, _host.Level.ERROR),
            (_logging.WARNING, _host.Level.WARN),
            (_logging.INFO, _host.Level.INFO),
            (_logging.NOTSET, _host.Level.DEBUG),
        ]
        level = next(of_host for least, of_host in levels if record.levelno >= least)
        if _live.is_importing:
            print(self.format(record), file=_sys.stderr)
            return
        name = "" if record.name == "root" else record.name
        _host.log(level, name, self.format(record))


_logging.basicConfig(level=_logging.INFO, format="%(message)s", handlers=[_HostHandler()])
