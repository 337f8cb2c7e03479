"""Command lines, read by the argument parser of the vLLM that this Python has.

A program for a runtime's interpreter: `python parser_of_vllm.py ANSWER < ARGUMENTS`, both JSON.
The answer goes to a file, since vLLM logs to standard output.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

import vllm
from vllm.utils.argparse_utils import FlexibleArgumentParser

try:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
except ModuleNotFoundError:
    # Before 0.29.
    from vllm.entrypoints.openai.cli_args import make_arg_parser, validate_parsed_serve_args


def read(parser: FlexibleArgumentParser, argv: list[str]) -> dict[str, object] | str:
    """What the parser made of a command line, or the last line of its complaint."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            told = parser.parse_args(argv)
            validate_parsed_serve_args(told)
    except SystemExit:
        return said.getvalue().splitlines()[-1]
    return dict(vars(told))


def plain(value: object) -> object:
    """A value that JSON does not know: the fields of an object, else its text."""
    return getattr(value, "__dict__", None) or str(value)


if __name__ == "__main__":
    served = make_arg_parser(FlexibleArgumentParser())
    answer = {
        "version": vllm.__version__,
        "options": [option for action in served._actions for option in action.option_strings],
        "told": [read(served, argv) for argv in json.load(sys.stdin)],
    }
    Path(sys.argv[1]).write_text(json.dumps(answer, default=plain), encoding="utf-8")
