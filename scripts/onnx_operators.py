"""Write the table of ONNX's own operators by which onnx.Model.Validate checks nodes.

    pip install onnx
    python scripts/onnx_operators.py > onnx/operators.txt

The first line is the newest operator set in the table. Every other line is a version of an operator: its name, the
set that brought it, least-most inputs and least-most outputs (* is any number; the least inputs must not be left out by
an empty name), and its attributes with their type, a ! behind those that must be there. A version that says what the one before it said has no line; one that withdraws the operator has the word gone.
"""

import onnx
from onnx.defs import OpSchema

OPTIONS = OpSchema.FormalParameterOption


def span(least, most):
    return str(most) if least == most else f"{least}-{'*' if most >= 2**31 - 1 else most}"


def describe(s):
    if s.deprecated:
        return "gone"
    kinds = [v.option for v in s.inputs]
    least = kinds.index(OPTIONS.Optional) if OPTIONS.Optional in kinds[: s.min_input] else s.min_input
    attrs = [f"{name}:{a.type.name}{'!' if a.required else ''}" for name, a in sorted(s.attributes.items())]
    return " ".join([span(least, s.max_input), span(s.min_output, s.max_output), *attrs])


def main():
    print(onnx.defs.onnx_opset_version())
    versions = {}
    for s in onnx.defs.get_all_schemas_with_history():
        if s.domain == "":
            versions.setdefault(s.name, []).append(s)
    for name in sorted(versions):
        last = None
        for s in sorted(versions[name], key=lambda s: s.since_version):
            text = describe(s)
            if text != last:
                print(name, s.since_version, text)
            last = text


if __name__ == "__main__":
    main()
