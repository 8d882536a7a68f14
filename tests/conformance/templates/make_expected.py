"""Writes expected.json: what Python's jinja2, set up as Hugging Face's transformers does, makes of chat templates.

    pip install jinja2==3.1.6
    TZ=UTC python make_expected.py FOLDER_OF_TEMPLATES conversations.json > expected.json

For each template and conversation the SHA-256 of the text; null where the template fails or refuses.
"""

import datetime
import hashlib
import json
import pathlib
import sys

from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2026, 3, 5, 15, 4, 5)


def raise_exception(message):
    raise TemplateError(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def render(environment, source, conversation):
    try:
        text = environment.from_string(source).render(
            messages=conversation,
            tools=None,
            documents=None,
            bos_token="<s>",
            eos_token="</s>",
            add_generation_prompt=True,
        )
    except Exception:
        return None
    return hashlib.sha256(text.encode()).hexdigest()


def main():
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = NOW.strftime
    conversations = json.loads(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8"))
    expected = {}
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jinja")):
        source = path.read_bytes().decode()
        expected[path.name] = {name: render(environment, source, turns) for name, turns in conversations.items()}
    json.dump(expected, sys.stdout, indent=2)
    print()


main()
