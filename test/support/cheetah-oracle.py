"""Renders templates with Cheetah itself: one JSON object a line in, one a line out. A test's tool, never run by a node."""

import json
import sys
import warnings

from Cheetah.Template import Template

warnings.simplefilter("ignore")
out = sys.stdout
sys.stdout = sys.stderr


def render(request):
    try:
        made = Template.compile(source=request["template"])
        return {"output": str(made(searchList=[request["names"]]))}
    except BaseException as error:
        return {"type": type(error).__name__, "message": str(error)[:500]}


for line in sys.stdin:
    out.write(json.dumps(render(json.loads(line))) + "\n")
    out.flush()
