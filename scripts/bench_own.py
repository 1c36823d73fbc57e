#!/usr/bin/env python3
"""Times what `graft bench` compares: pipelines with bare sessions, int8 with float32, products with ONNX Runtime's, in turns.

    python scripts/bench_own.py [--rounds 5 --threads 1,2 --images 16 --arch vit_b_16]

Needs Go and ONNX Runtime's library (`make setup`), and no package. Networks and images are random. `graft bench` compares
the products themselves; int8's features must have a mean cosine of at least 0.95 to float32's (how near they come depends on
the processor's instructions).
"""
import json

import bench_common as common

PHOTOS = "vit_ti_16"


class Graft:
    def __init__(self, folder, rounds):
        self.binary, self.folder, self.rounds = common.build(folder), folder, rounds

    def export(self, arch):
        """A random network's files, in float32 and int8."""
        full, small = self.folder / f"{arch}.onnx", self.folder / f"{arch}.int8.onnx"
        common.run([self.binary, "model", "export", "--random-init", 1, "--arch", arch, "--out", full])
        common.run([self.binary, "model", "export", "--weights", full, "--precision", "int8", "--out", small])
        return full, small

    def bench(self, case, threads, *words, rounds=None):
        """The results of `graft bench` by name."""
        out = common.run([self.binary, "bench", "--cases", case, "--threads", threads, "--rounds", rounds or self.rounds, "--json", "-", *words])
        return {result["name"]: result for result in json.loads(out)["cases"]}

    def extraction(self, case, threads, model, images, **settings):
        return self.bench(case, threads, "--model", model, "--images", images, "--provider", "cpu", **settings)[case + "/pipeline"]


def pipelines(graft, full, args, threads):
    faces = [graft.extraction("extract", t, full, args.images) for t in threads]
    photos = graft.extraction("extract-jpeg", 1, graft.export(PHOTOS)[1], 8 * args.images)
    rates = common.listed(f"{case['items_per_second']:.2f}" for case in faces)
    return [common.row(f"`graft extract`, {common.title(args.arch)}, {common.on(threads)} ({rates} images/s)",
                       "a bare ONNX Runtime session, same graph, batches and threads: `graft bench --provider cpu`",
                       f"{common.listed(common.spread(case['ratios']) for case in faces)} of its rate"),
            common.row(f"`graft extract`, a folder of 500×375 JPEGs, {common.title(PHOTOS)} int8, 1 thread ({photos['items_per_second']:.1f} images/s)",
                       "a bare session on the same tensors: `graft bench --cases extract-jpeg --model vit_ti_16.int8.onnx --provider cpu --threads 1`",
                       f"{common.spread(photos['ratios'])} of its rate")]


def precisions(graft, full, small, args, threads):
    out = common.run([graft.binary, "model", "check", full, small, "--data", "synthetic", "--limit", 4, "--provider", "cpu", "--taps", "cls", "--json", "-"])
    cosine = json.loads(out)["taps"][0]["mean_cosine"]
    common.agree("mean cosine of int8's features to float32's", cosine, 1, 0.05)

    def rate(name, model, t):
        return {name: graft.extraction("extract", t, model, args.images, rounds=1)["items_per_second"]}

    tables = [common.alternate(args.rounds, lambda: rate("float32", full, t), lambda: rate("graft", small, t)) for t in threads]
    ours, theirs = (common.listed(f"{common.median(t, name):.2f}" for t in tables) for name in ("graft", "float32"))
    return common.row(f"`graft extract`, {common.title(args.arch)} int8, {common.on(threads)} ({ours} images/s)",
                      f"the same in float32 ({theirs} images/s); mean cosine of the features {cosine:.3f}",
                      f"{common.listed(common.ratio(t, 'float32') for t in tables)} times as fast")


def products(graft):
    cases = {name.split("/")[1]: case for name, case in graft.bench("sgemm", 1).items() if case.get("baseline")}
    speeds = common.listed(f"{case['items_per_second']:.0f}" for case in cases.values())
    return common.row(f"float32 products {common.listed(cases)}, 1 thread ({speeds} GFLOP/s)",
                      "ONNX Runtime's MatMul: `graft bench --cases sgemm --threads 1`",
                      f"{common.listed(common.spread(case['ratios']) for case in cases.values())} of its rate")


def main():
    args = common.arguments(__doc__, threads="1,2", images=16, arch="vit_b_16").parse_args()
    threads = common.numbers(args.threads)
    with common.workplace() as folder:
        graft = Graft(folder, args.rounds)
        full, small = graft.export(args.arch)
        common.write(args.json, [*pipelines(graft, full, args, threads), precisions(graft, full, small, args, threads), products(graft)])


if __name__ == "__main__":
    main()
