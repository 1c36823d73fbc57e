"""What the comparisons with other programs share: a plain environment, runs in turns, the check that stands before a ratio,
and rows of the table in docs/benchmarks.md.

    python scripts/bench_common.py    # checks itself, without any package

Import it before numpy: libraries read their environment as they start.
"""
import argparse
import contextlib
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Read at start by OpenBLAS, OpenMP, MKL, oneDNN and ATen; what somebody has set there would slow the others down or
# overrule the numbers of threads that a comparison sets.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
             "MKL_ENABLE_INSTRUCTIONS", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"):
    os.environ.pop(name, None)
# Threads of OpenMP that wait in a loop would take the cores from whoever is measured next.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def need(*packages):
    """Ends the program, with the way out, unless all packages of these names on PyPI are installed."""
    missing = []
    for package in packages:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        sys.exit(f"{sys.executable} has no {', '.join(missing)}. In an environment of its own:\n"
                 f"    python3 -m venv benchmarks && benchmarks/bin/pip install {' '.join(packages)}\n"
                 f"then run this again with benchmarks/bin/python")


def versions(*packages):
    return ", ".join(f"{p} {importlib.metadata.version(p).split('+')[0]}" for p in packages)


def arguments(description, **defaults):
    """A parser with --rounds, --json and an option for each default: --name of the default's type."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of both sides in turns; medians are printed (5)")
    parser.add_argument("--json", help="write the table's rows to this file")
    for name, value in defaults.items():
        parser.add_argument("--" + name, type=type(value), default=value, help=f"({value})")
    return parser


def title(arch):
    """vit_b_16 → ViT-B/16"""
    _, size, patch = arch.split("_")
    return f"ViT-{size.capitalize()}/{patch}"


def numbers(text):
    """1,2 → [1, 2]"""
    return [int(word) for word in text.split(",")]


def listed(words):
    return " and ".join(map(str, words))


def on(threads):
    """[1] → 1 thread, [1, 2] → 1 and 2 threads"""
    return listed(threads) + (" thread" if list(threads) == [1] else " threads")


def run(command, threads=None, **settings):
    """A command's standard output. A Go program gets as many cores as threads; settings are added to the environment."""
    env = dict(os.environ, **{name: str(value) for name, value in settings.items()})
    if threads:
        env["GOMAXPROCS"] = str(threads)
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def workplace():
    """A folder for a while."""
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder)


def build(folder):
    """graft, built of this tree into a folder."""
    run(["go", "build", "-o", folder / "graft", "./cmd/graft"])
    return folder / "graft"


def agree(what, got, want, limit):
    """Tells both figures, and ends the program unless they are within the limit of each other, which NaN never is."""
    print(f"{what}: {got:.7g}, to be {want:.7g} within {limit:g}", flush=True)
    if not abs(got - want) <= limit:
        sys.exit(f"{what}: {got!r}, wanted {want!r} within {limit:g}: both sides must compute the same before they are timed")


def alternate(rounds, *turns):
    """What all turns return in each round, rates by name. Who goes first changes with every round."""
    if rounds < 1:
        sys.exit(f"{rounds} rounds, wanted at least one")
    table = []
    for number in range(rounds):
        rates = {}
        for turn in turns[::-1] if number % 2 else turns:
            rates.update(turn())
        table.append(rates)
    return table


def reached(losses, target):
    """The index of the first loss of at most target."""
    at = next((i for i, loss in enumerate(losses) if loss <= target), None)
    if at is None:
        sys.exit(f"no loss of {len(losses)} is at most {target:.7g}, the least is {min(losses, default=float('nan')):.7g}")
    return at


def median(table, name):
    return statistics.median(rates[name] for rates in table)


def ratio(table, theirs, ours="graft"):
    """1.36 (1.20–1.43): ours over theirs, the median of the rounds, the least and the greatest."""
    ratios = [rates[ours] / rates[theirs] for rates in table]
    return spread(ratios)


def spread(ratios):
    digits = 2 if statistics.median(ratios) < 10 else 1
    text = f"{statistics.median(ratios):.{digits}f}"
    return text if len(ratios) == 1 else f"{text} ({min(ratios):.{digits}f}–{max(ratios):.{digits}f})"


def row(what, against, result):
    """A row of the table; prints it."""
    print(f"{what} | {against} | {result}", flush=True)
    return {"what": what, "against": against, "ratio": result}


def write(path, rows):
    if path:
        pathlib.Path(path).write_text(json.dumps(rows))


def table(rows):
    """Rows as Markdown."""
    lines = ["| what | against | ratio |", "|---|---|---|"]
    return "\n".join(lines + [f"| {r['what']} | {r['against']} | {r['ratio']} |" for r in rows]) + "\n"


def load():
    return "/".join(f"{v:.1f}" for v in os.getloadavg())


def machine():
    """Processor, cores and the instruction sets that matrix products live on."""
    try:
        facts = dict(line.split(":", 1) for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    except OSError:
        return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    flags = set(facts.get("flags", "").split())
    known = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX-VNNI", "amx_tile": "AMX"}
    has, lacks = ([word for flag, word in known.items() if (flag in flags) == there] for there in (True, False))
    name = facts.get("model name", platform.machine())
    return f"{name}, {os.cpu_count()} cores, {', '.join(has) or 'none of AVX2 and above'}" + (f" (no {', '.join(lacks)})" if has and lacks else "")


def refused(function, *values):
    """Whether a call ends the program."""
    try:
        with contextlib.redirect_stdout(None):
            function(*values)
    except SystemExit:
        return True
    return False


def check():
    assert not refused(agree, "equal", 1.0, 1.0, 0)
    assert not refused(agree, "near", 1.0, 1.05, 0.1)
    for wrong in (1.2, float("nan"), float("inf")):
        assert refused(agree, "wrong", wrong, 1.0, 0.1) and refused(agree, "wrong", 1.0, wrong, 0.1)
    assert reached([3.0, 2.0, 2.5, 1.0], 2.0) == 1 and reached([1.0], 1.0) == 0
    assert refused(reached, [3.0, float("nan")], 1.0) and refused(reached, [], 1.0)
    order = []
    turns = [lambda: order.append("a") or {"a": 2.0}, lambda: order.append("b") or {"graft": 4.0 + len(order), "c": 1.0}]
    rounds = alternate(3, *turns)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert rounds == [{"a": 2.0, "graft": 6.0, "c": 1.0}, {"graft": 7.0, "c": 1.0, "a": 2.0}, {"a": 2.0, "graft": 10.0, "c": 1.0}]
    assert ratio(rounds, "a") == "3.50 (3.00–5.00)" and ratio(rounds, "c", "a") == "2.00 (2.00–2.00)" and median(rounds, "graft") == 7
    assert spread([12.34]) == "12.3" and refused(alternate, 0)
    assert refused(need, "no-such-package-of-graft") and refused(run, [sys.executable, "-c", "import sys; sys.exit(3)"])
    assert run([sys.executable, "-c", "import os; print(os.environ['GOMAXPROCS'], os.environ['A'])"], 3, A=1) == "3 1\n"
    assert table([{"what": "a", "against": "b", "ratio": "1"}]).splitlines()[2] == "| a | b | 1 |"
    assert title("vit_ti_16") == "ViT-Ti/16" and numbers("1,2") == [1, 2] and on([1, 2]) == "1 and 2 threads" and on([1]) == "1 thread" and machine() and load()
    print("bench_common: all checks passed")


if __name__ == "__main__":
    check()
