"""The command line: reads arguments, wires the parts, prints, exits."""


def main() -> None:
    raise SystemExit(0)
