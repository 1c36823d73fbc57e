// Package house keeps the rules that hold across packages: who may import
// whom, that every package says what it is for, and that every package shows an
// example. Its tests are its content.
package house

import (
	"slices"
	"strings"
)

// allowed maps a folder of the project to the folders that packages below it
// may import. Every package may import its own folder's packages and internal.
var allowed = map[string][]string{
	"preprocess":      {},
	"onnx":            {"onnx/meta"},
	"onnx/meta":       {"preprocess"},
	"models":          {},
	"internal":        {},
	"pretrained":      {"graph", "onnx", "preprocess", "models"},
	"graph":           {"onnx"},
	"graph/engine":    {"graph"},
	"graph/lower":     {"graph", "onnx"},
	"graph/gosession": {"graph", "onnx"},
	"finetune":        {"graph", "pretrained", "preprocess", "onnx", "models"},
	"serve":           {"finetune", "pretrained", "onnx", "preprocess", "report/show"},
	"report":          {"report/chart", "finetune", "pretrained", "graph", "onnx", "preprocess"},
	"report/chart":    {},
	"report/raster":   {},
	"report/show":     {"report/chart", "report/raster", "finetune", "pretrained", "graph", "onnx", "preprocess"},
}

// rooms are the floors of finetune, each with the others that it may import, all
// of them below it; beside them a room may import what finetune may.
var rooms = map[string][]string{
	"nets":    {},
	"metrics": {},
	"head":    {"metrics"},
	"knn":     {},
	"fit":     {"nets", "metrics"},
	"run":     {"fit", "metrics", "nets"},
	"load":    {"run", "fit", "nets"},
	"model":   {"load", "run", "fit", "nets"},
	"judge":   {"model", "load", "run", "fit", "nets", "metrics", "knn"},
	"train":   {"judge", "load", "run", "fit", "nets", "metrics", "head"},
	"ship":    {"model", "load", "run", "nets", "metrics"},
	"compare": {"run", "fit", "nets", "metrics"},
	"check":   {"head", "metrics"},
	"audit":   {"fit", "head", "knn", "metrics"},
	"rank":    {"head", "knn", "metrics"},
	"bench":   {"train", "run", "fit", "nets", "head"},
	"demo":    {"run", "train", "model", "ship", "metrics"},
}

// runtimeBinding may be imported by runtimeFolder alone, and that by the commands
// and one file beside them, so that another engine can stand where it does.
const (
	runtimeBinding = "github.com/yalue/onnxruntime_go"
	runtimeFolder  = "onnx/ort"
	sessionMaker   = "pretrained/engine.go"
)

// mayReachRuntime tells whether a file inside the module may import runtimeFolder.
func mayReachRuntime(file string) bool {
	return file == sessionMaker || within(file, runtimeFolder) || within(file, "cmd")
}

// room is the entry of allowed that a package belongs to: the longest prefix.
func room(pkg string) string {
	best := ""
	for folder := range allowed {
		if within(pkg, folder) && len(folder) > len(best) {
			best = folder
		}
	}
	return best
}

// floor is the room of finetune that a package belongs to, "" for others.
func floor(pkg string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(pkg, "finetune/"), "/")
	if _, known := rooms[name]; !known {
		return ""
	}
	return name
}

// within tells whether pkg is folder or lies below it.
func within(pkg, folder string) bool {
	return pkg == folder || strings.HasPrefix(pkg, folder+"/")
}

// mayImport tells whether package from may import package to; both are paths
// inside the module.
func mayImport(from, to string) bool {
	home := room(from)
	if home == "" || within(to, "internal") {
		return true // commands import everything
	}
	if within(to, home) && room(to) == home {
		from, to := floor(from), floor(to)
		return from == to || slices.Contains(rooms[from], to)
	}
	return slices.ContainsFunc(allowed[home], func(folder string) bool { return within(to, folder) })
}
