"""The command line: ``rndcfl``, or ``python -m rndcfl``; its commands are in the book."""

import sys

from rndcfl.common import orphans


def main() -> None:
    """Run the command line, or say in one line (exit code 2) what it needs to be installed."""
    orphans.end_when_told()
    try:
        from rndcfl.book.cli import main as command_line

        command_line(prog_name="rndcfl")
    except orphans.Terminated:
        told = "told to end, or left alone; run the same command again to resume"
        print(f"rndcfl: {told}", file=sys.stderr)
        raise
    except ModuleNotFoundError as problem:
        missing = (problem.name or "").partition(".")[0]
        if missing in ("", "rndcfl", *sys.stdlib_module_names):  # not what an extra brings
            raise
        told = f"the command line and the notebooks need more packages ({missing} is missing)"
        print(f"rndcfl: {told}: pip install 'rndcfl[book]'", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
