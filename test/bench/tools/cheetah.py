"""Renders templates with Cheetah itself, for comparison: one JSON object a line in, one a line out.

in:  {"templates": [{"source": ..., "names": ...}], "passes": n, "compile": true}
out: {"seconds": ..., "outputs": [...]}
"""

import json
import sys
import time
import warnings

from Cheetah.Template import Template

warnings.simplefilter("ignore")
out = sys.stdout
sys.stdout = sys.stderr


class Thing:
    """A dataset or a parameter as a template sees it."""

    def __init__(self, made):
        self._text = made["text"]
        self._truth = made["truth"]
        self._items = made["items"]
        self._types = made["types"]
        self._plain = made["plain"]
        for name, value in made["attributes"].items():
            setattr(self, name, value)

    def is_of_type(self, *types):
        return any(one in self._types for one in types)

    def __str__(self):
        return self._text

    def __bool__(self):
        return self._truth

    def __iter__(self):
        return iter(self._text if self._items is None else self._items)

    def __len__(self):
        return len(self._text if self._items is None else self._items)

    def __getitem__(self, key):
        return self._items[key] if isinstance(key, int) and self._items is not None else getattr(self, key)

    def __eq__(self, other):
        return str(other) == self._text or other == self._plain

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self._text)

    def __int__(self):
        return int(self._text)

    def __float__(self):
        return float(self._text)


def revived(value):
    if not isinstance(value, dict):
        return value
    if "list" in value:
        return [revived(one) for one in value["list"]]
    if "dict" in value:
        return {key: revived(one) for key, one in value["dict"].items()}
    made = value["thing"]
    made["attributes"] = {key: revived(one) for key, one in made["attributes"].items()}
    if made["items"] is not None:
        made["items"] = [revived(one) for one in made["items"]]
    return Thing(made)


def render(made, names):
    return str(made(searchList=[names]))


def answer(request):
    given = [(one["source"], {key: revived(value) for key, value in one["names"].items()}) for one in request["templates"]]
    outputs = []
    compiled = []
    for source, names in given:
        try:
            compiled.append((Template.compile(source=source), names))
            outputs.append(render(*compiled[-1]))
        except Exception as error:
            outputs.append(None)
            sys.stderr.write(str(error)[:200].replace("\n", " ") + "\n")
    began = time.perf_counter()
    for _ in range(request["passes"]):
        if request["compile"]:
            for source, names in given:
                render(Template.compile(source=source, cacheCompilationResults=False, useCache=False), names)
        else:
            for made, names in compiled:
                render(made, names)
    return {"seconds": time.perf_counter() - began, "outputs": outputs}


for line in sys.stdin:
    out.write(json.dumps(answer(json.loads(line))) + "\n")
    out.flush()
