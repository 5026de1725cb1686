"""How the node's own source is loaded: by the names that its files have for whoever wrote it, and with what it imports later."""

import importlib
import importlib.machinery
import linecache
import re
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import decode_source, resolve_name

try:
    from lp_place import PLACE
except ImportError:
    PLACE = ""

# Where componentize-py has the first folder that it is given: the node's own.
_SOURCE = "/0/"

# What an indented line imports: inside of a function, that happens when the files are gone that it is imported from.
_LATER = re.compile(r"^[ \t]+(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+\(?([\w, \t]*)|import[ \t]+([\w., \t]+))", re.MULTILINE)

# What the standard library imports only when it is used, beside what brings it.
_OF_LIBRARY = {
    "asyncio": ["concurrent.futures.thread"],
    "socket": ["encodings.idna", "encodings.punycode"],
    "multiprocessing": ["multiprocessing.pool", "multiprocessing.context", "multiprocessing.queues"],
    "importlib.resources": ["importlib.resources._adapters", "importlib.resources.readers"],
}

_texts = {}


def _shown(path):
    return PLACE + path[len(_SOURCE) :]


class SourceLoader(SourceFileLoader):
    """Loads a module of the node, whose lines a traceback shows."""

    def get_code(self, fullname):
        path = self.get_filename(fullname)
        if not path.startswith(_SOURCE):
            return super().get_code(fullname)
        data = self.get_data(path)
        text = decode_source(data)
        shown = _shown(path)
        _texts[fullname] = text
        linecache.cache[shown] = (len(text), None, text.splitlines(True), shown)
        return compile(data, shown, "exec", dont_inherit=True)


def _import(name):
    try:
        importlib.import_module(name)
    except Exception:
        # What isn't there, the node finds out when it asks for it.
        pass


def _import_later(module, text):
    package = getattr(sys.modules.get(module), "__package__", None) or ""
    for source, names, modules in _LATER.findall(text):
        if modules:
            for name in modules.split(","):
                _import(name.split(" as ")[0].strip())
            continue
        source = resolve_name(source, package) if source.startswith(".") and package else source
        _import(source)
        found = sys.modules.get(source)
        if hasattr(found, "__path__"):
            for name in names.split(","):
                name = name.split(" as ")[0].strip()
                if name and not hasattr(found, name):
                    _import(f"{source}.{name}")


def install():
    """Has the modules of the node be loaded so."""
    sys.dont_write_bytecode = True
    hook = importlib.machinery.FileFinder.path_hook((SourceLoader, [".py"]))

    def of_node(path):
        if not f"{path}/".startswith(_SOURCE):
            raise ImportError
        return hook(path)

    sys.path_hooks.insert(0, of_node)
    sys.path_importer_cache.pop(_SOURCE.rstrip("/"), None)


def complete():
    """Imports what the node would else not find later."""
    for module, text in list(_texts.items()):
        _import_later(module, text)
    _texts.clear()
    for module, later in _OF_LIBRARY.items():
        if module in sys.modules:
            for name in later:
                _import(name)
