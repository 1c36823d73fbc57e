#!/usr/bin/env python3
"""Compares the faces that graft finds with those of OpenCV's FaceDetectorYN, on FER2013's faces pasted into photographs.

    graft model pull yunet
    python scripts/check_faces.py --graft graft --run runs/head --fer fer2013.csv --yunet models/yunet.onnx
    python scripts/check_faces.py --fixture pretrained/detect/testdata/opencv.json

Needs numpy, opencv-python-headless, onnx, scikit-image and scikit-learn, whose sample photographs are the backgrounds. Boxes,
landmarks and scores must be OpenCV's to a pixel and a thousandth, on sheets that graft does not make smaller, or the exit status is 1.
It prints how many of the pasted faces each finds and how many boxes are something else, by size and score; how YuNet's box lies
in FER2013's own images, which is the margin of detect.Crop; and the accuracy of RUN on the crops beside that on the images
themselves. --fixture writes the file of the unit tests instead: random outputs of the network, and what OpenCV makes of them.
"""
import argparse
import collections
import csv
import glob
import json
import os
import subprocess
import sys
import tarfile
import tempfile

import cv2
import numpy as np

SIZES = [24, 32, 48, 64, 96, 128, 192, 256]
SCORES = [0.3, 0.5, 0.6, 0.7, 0.8, 0.9]
LEAST = SCORES[0]
CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def faces(path, n):
    """n faces of the private test split and their labels."""
    if path.endswith(".tar.gz"):
        archive = tarfile.open(path, "r|gz")
        lines = (l.decode() for l in archive.extractfile(next(m for m in archive if m.name.endswith("fer2013.csv"))))
    else:
        lines = open(path)
    found = []
    for row in csv.DictReader(lines):
        if row["Usage"] == "PrivateTest":
            found.append((np.array(row["pixels"].split(), np.uint8).reshape(48, 48), CLASSES[int(row["emotion"])]))
            if len(found) == n:
                break
    return found


def backgrounds():
    """Photographs and textures without a face."""
    import skimage
    import sklearn
    sk, learn = os.path.join(os.path.dirname(skimage.__file__), "data"), os.path.join(os.path.dirname(sklearn.__file__), "datasets/images")
    names = [f"{learn}/china.jpg", f"{learn}/flower.jpg"] + [f"{sk}/{n}" for n in
             ("coffee.png", "chelsea.png", "rocket.jpg", "grass.png", "gravel.png", "brick.png", "motorcycle_left.png", "text.png", "coins.png", "hubble_deep_field.jpg")]
    return [cv2.imread(n) for n in names]


def sheet(rng, ground, pool, w, h, sizes):
    """A photograph with faces in it that do not touch, and their squares."""
    im = cv2.resize(ground, (w, h), interpolation=cv2.INTER_AREA)
    squares = []
    for size in sizes:
        for _ in range(50):
            x, y = rng.integers(0, w - size), rng.integers(0, h - size)
            gap = 8
            if all(x + size + gap < a or a + s + gap < x or y + size + gap < b or b + s + gap < y for a, b, s, _ in squares):
                face, label = pool[rng.integers(len(pool))]
                big = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA if size < 48 else cv2.INTER_CUBIC)
                im[y:y + size, x:x + size] = big[..., None]
                squares.append((x, y, size, label))
                break
    return im, squares


def detect(yunet, im, least):
    d = cv2.FaceDetectorYN.create(yunet, "", (im.shape[1], im.shape[0]), least, 0.3, 5000)
    found = d.detect(im)[1]
    return np.zeros((0, 15), np.float32) if found is None else found


def row(answer):
    """A face of graft as a row of OpenCV."""
    f = answer["face"]
    return [f["x"], f["y"], f["width"], f["height"]] + [v for p in f["landmarks"] for v in (p["x"], p["y"])] + [f["score"]]


def graft(a, folder):
    """What graft says of a folder of pictures, by name: rows of OpenCV, and labels."""
    out = os.path.join(folder, "answers.jsonl")
    subprocess.run([a.graft, "predict", a.run, "list:" + os.path.join(folder, "list.csv"), "--faces", "--face-score", str(LEAST), "--face-model", a.yunet,
                    "--provider", a.provider, "--jsonl", out], check=True)
    rows, labels = collections.defaultdict(list), collections.defaultdict(list)
    for line in open(out):
        answer = json.loads(line)
        name = answer["image"].split(": ")[-1]
        if "face" in answer:
            rows[name].append(row(answer))
            labels[name].append(answer["label"])
    return {n: np.array(r) for n, r in rows.items()}, labels


def match(boxes, squares, least):
    """Which box is which pasted face: its middle lies in the square's middle half, and it is half to twice as high."""
    of = {}
    for i, b in enumerate(boxes):
        if b[14] < least:
            continue
        x, y = b[0] + b[2] / 2, b[1] + b[3] / 2
        for j, (a, c, s, _) in enumerate(squares):
            if abs(x - a - s / 2) < s / 4 and abs(y - c - s / 2) < s / 4 and s / 2 < b[3] < 2 * s and j not in of.values():
                of[i] = j
                break
    return of


def table(title, boxes, squares):
    total = collections.Counter(s[2] for list in squares.values() for s in list)
    print(f"\n{title}: of {sum(total.values())} faces on {len(squares)} sheets found, by their size in pixels; and boxes that are something else")
    print("| score | " + " | ".join(f"{s} ({total[s]})" for s in sorted(total)) + " | all | something else |")
    print("|---|" + "---|" * (len(total) + 2))
    for least in SCORES:
        hit, other = collections.Counter(), 0
        for name, list in squares.items():
            b = boxes.get(name, [])
            of = match(b, list, least)
            hit.update(list[j][2] for j in of.values())
            other += sum(x[14] >= least for x in b) - len(of)
        print(f"| {least} | " + " | ".join(f"{hit[s] / total[s]:.0%}" for s in sorted(total)) + f" | {sum(hit.values()) / sum(total.values()):.1%} | {other} |")


def margin(boxes, squares):
    """How a box lies in the pasted image, faces of 96 pixels and more: middle, width and height in sides of the image."""
    at = []
    for name, list in squares.items():
        b = boxes.get(name, [])
        for i, j in match(b, list, 0.6).items():
            x, y, s, _ = list[j]
            if s >= 96:
                at.append([(b[i][0] + b[i][2] / 2 - x) / s, (b[i][1] + b[i][3] / 2 - y) / s, b[i][2] / s, b[i][3] / s])
    q = np.percentile(at, [25, 50, 75], axis=0)
    print(f"\nYuNet's box in FER2013's image ({len(at)} of 96 pixels and more), in sides of the image, quartiles:")
    for k, word in enumerate(["middle, across", "middle, down", "width", "height"]):
        print(f"| {word} | " + " | ".join(f"{v:.2f}" for v in q[:, k]) + " |")


def compare(ours, theirs, squares):
    worst, n = np.zeros(2), 0
    for name in squares:
        a, b = ours.get(name, np.zeros((0, 15))), theirs[name]
        if len(a) != len(b):
            sys.exit(f"{name}: graft has {len(a)} faces, OpenCV {len(b)}")
        if len(a):
            d = np.abs(a - b)
            worst, n = np.maximum(worst, [d[:, :14].max(), d[:, 14].max()]), n + len(a)
    print(f"\n{n} boxes of score {LEAST} and more, in the same order: boxes and landmarks at most {worst[0]:.2g} pixels apart, scores {worst[1]:.2g}")
    if not (worst[0] <= 1 and worst[1] <= 1e-3):
        sys.exit("graft's faces are not OpenCV's")


def accuracy(a, pool, ours, labels, squares, folder):
    """The accuracy of the run on crops of sheets, beside that on the very images."""
    want, got, index = [], [], {id(f): i for i, (f, _) in enumerate(pool)}
    direct = os.path.join(folder, "direct.jsonl")
    names = []
    for i, (face, _) in enumerate(pool):
        names.append(os.path.join(folder, f"face{i:04d}.png"))
        cv2.imwrite(names[-1], face)
    subprocess.run([a.graft, "predict", a.run, *names, "--jsonl", direct], check=True)
    on_images = np.mean([json.loads(l)["label"] == pool[i][1] for i, l in enumerate(open(direct))])
    for name, list in squares.items():
        for i, j in match(ours.get(name, []), list, 0.6).items():
            if list[j][2] >= 48:
                want.append(list[j][3])
                got.append(labels[name][i])
    print(f"\n{a.run}: {on_images:.1%} of {len(pool)} images as they are; {np.mean(np.array(want) == got):.1%} of {len(want)} crops of faces found (48 pixels and more, score 0.6)")


def check(a):
    rng = np.random.default_rng(1)
    pool, grounds = faces(a.fer, a.faces), backgrounds()
    folder = a.out or tempfile.mkdtemp(prefix="faces-")
    os.makedirs(folder, exist_ok=True)
    shapes = [(640, 480), (480, 640), (500, 333), (639, 401)]
    squares, theirs = {}, {}
    for k in range(a.sheets):
        w, h = shapes[k % len(shapes)]
        sizes = [s for s in SIZES[::-1] if s < min(w, h) - 10] + list(rng.choice(SIZES[:4], 6))
        im, squares_of = sheet(rng, grounds[k % len(grounds)], pool, w, h, sizes)
        name = f"sheet{k:03d}.png"
        cv2.imwrite(os.path.join(folder, name), im)
        squares[name], theirs[name] = squares_of, detect(a.yunet, im, LEAST)
    def listed(names):
        with open(os.path.join(folder, "list.csv"), "w") as f:
            f.write("path,label\n" + "".join(f"{n},x\n" for n in names))
    listed(squares)
    ours, labels = graft(a, folder)
    print(f"OpenCV {cv2.__version__}, graft on provider {a.provider}")
    compare(ours, theirs, squares)
    table("OpenCV", theirs, squares)
    table("graft", ours, squares)
    margin(ours, squares)
    plain = {f"ground{k}": detect(a.yunet, cv2.resize(g, (640, 480), interpolation=cv2.INTER_AREA), LEAST) for k, g in enumerate(grounds)}
    print(f"\nthe {len(grounds)} backgrounds alone: " + ", ".join(f"{sum((b[:, 14] >= s).sum() for b in plain.values())} boxes of {s}" for s in SCORES))
    accuracy(a, pool, ours, labels, squares, folder)
    margins(a, pool[:300], folder)
    large(a, rng, pool, grounds, folder, listed)


def margins(a, pool, folder):
    """The accuracy of the run on crops by squares of several heights of the box, of faces of 144 pixels whose surroundings repeat their edges."""
    size, names, found = 144, [], 0
    squares = {"as they are": 0, "0.9": 0.9, "1": 1, "1.15": 1.15}
    for i, (face, _) in enumerate(pool):
        im = cv2.copyMakeBorder(cv2.resize(face, (size, size), interpolation=cv2.INTER_CUBIC), size, size, size, size, cv2.BORDER_REPLICATE)
        boxes = detect(a.yunet, cv2.cvtColor(im, cv2.COLOR_GRAY2BGR), 0.6)
        if len(boxes) == 0:
            continue
        found += 1
        x, y, w, h = boxes[0][:4]
        for word, k in squares.items():
            side, cx, cy = (round(k * h), x + w / 2, y + h / 2) if k else (size, 1.5 * size, 1.5 * size)
            left, top = max(0, round(cx - side / 2)), max(0, round(cy - side / 2))
            names.append((word, i, os.path.join(folder, f"margin {word} {i}.png")))
            cv2.imwrite(names[-1][2], cv2.resize(im[top:top + side, left:left + side], (48, 48), interpolation=cv2.INTER_AREA))
    answers = os.path.join(folder, "margins.jsonl")
    with open(os.path.join(folder, "names.txt"), "w+") as f:
        f.write("\n".join(n[2] for n in names))
        f.seek(0)
        subprocess.run([a.graft, "predict", a.run, "-", "--jsonl", answers], stdin=f, check=True)
    right = collections.Counter(word for (word, i, _), line in zip(names, open(answers)) if json.loads(line)["label"] == pool[i][1])
    print(f"\n{found} faces cut by squares of so many heights of the box: " + ", ".join(f"{word}: {right[word] / found:.1%}" for word in squares))


def large(a, rng, pool, grounds, folder, listed):
    """Photographs larger than graft's detector takes."""
    squares, theirs = {}, {}
    for k in range(a.sheets // 6):
        im, squares_of = sheet(rng, grounds[k % len(grounds)], pool, 1920, 1440, [3 * s for s in SIZES[::-1]] + [48, 48, 96, 96])
        name = f"large{k:03d}.png"
        cv2.imwrite(os.path.join(folder, name), im)
        squares[name], theirs[name] = squares_of, detect(a.yunet, im, LEAST)
    listed(squares)
    ours, _ = graft(a, folder)
    table("1920×1440, OpenCV at full size", theirs, squares)
    table("1920×1440, graft", ours, squares)


def fixture(path):
    """Random outputs of a network for 96×64 pixels, as logits, and what OpenCV's decoding and suppression make of them."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    rng = np.random.default_rng(5)
    h, w = 64, 96
    out = {}
    for part, size in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in (8, 16, 32):
            n = (h // stride) * (w // stride)
            v = rng.normal(1.2, 1.5, (1, n, size)) if size == 1 else rng.normal(0.3, 0.5, (1, n, size))
            if part == "bbox":
                v[..., 2:] = rng.normal(np.log(20 / stride), 0.3, (1, n, 2))
            out[f"{part}_{stride}"] = np.round(v, 2).astype(np.float32)
    nodes, weights, results = [], [numpy_helper.from_array(np.zeros(1, np.float32), "zero")], []
    nodes.append(helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0))
    nodes.append(helper.make_node("Mul", ["mean", "zero"], ["nothing"]))
    for name, v in out.items():
        values = 1 / (1 + np.exp(-v.astype(np.float64))) if v.shape[2] == 1 else v
        weights.append(numpy_helper.from_array(values.astype(np.float32), name + "_values"))
        nodes.append(helper.make_node("Add", [name + "_values", "nothing"], [name]))
        results.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, v.shape))
    graph = helper.make_graph(nodes, "constant", [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, h, w])], results, weights)
    with tempfile.NamedTemporaryFile(suffix=".onnx") as f:
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6), f.name)
        cases = []
        for score, overlap, top in ((0.9, 0.3, 5000), (0.6, 0.3, 5000), (0.5, 0.5, 20), (0.3, 0.1, 5000)):
            d = cv2.FaceDetectorYN.create(f.name, "", (w, h), score, overlap, top)
            found = d.detect(np.zeros((h, w, 3), np.uint8))[1]
            print(score, overlap, top, len(found), "faces")
            cases.append({"score": score, "overlap": overlap, "top_k": top, "faces": [[round(float(x), 4) for x in r] for r in found]})
    with open(path, "w") as f:
        json.dump({"opencv": cv2.__version__, "h": h, "w": w, "outputs": {k: [round(float(x), 2) for x in v.ravel()] for k, v in out.items()}, "cases": cases}, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--graft", default="graft")
    p.add_argument("--run")
    p.add_argument("--fer")
    p.add_argument("--yunet")
    p.add_argument("--provider", default="auto")
    p.add_argument("--sheets", type=int, default=72)
    p.add_argument("--faces", type=int, default=600)
    p.add_argument("--out", help="keep the sheets in this folder")
    p.add_argument("--fixture")
    a = p.parse_args()
    fixture(a.fixture) if a.fixture else check(a)
