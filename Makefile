# Two targets matter: `make demo` shows graft at work, `make test` proves it.
# DATA=… and WEIGHTS=… run the demo on real data and a real checkpoint; OPEN=1 shows its page in the browser.
GO    ?= go
GRAFT := bin/graft
OUT   ?= demo
# Without cgo no native library can be loaded, so none is installed: graft's own engine runs the models.
READY := $(if $(filter 0,$(CGO_ENABLED)),build,setup)

.PHONY: build setup demo study elsewhere test race lint fuzz release module clean

# The first time, each package is named when it is compiled.
build:
	@test -x $(GRAFT) || echo "building graft: the first time Go fetches the modules and compiles them, in a minute or two"
	$(GO) build $(if $(wildcard $(GRAFT)),,-v) -o $(GRAFT) ./cmd/graft

setup: build
	$(GRAFT) setup

demo: $(READY)
	$(GRAFT) demo --out $(OUT) $(if $(DATA),--data $(DATA)) $(if $(WEIGHTS),--weights $(WEIGHTS)) $(if $(OPEN),--open)

study: $(READY)
	DATA="$(DATA)" WEIGHTS="$(WEIGHTS)" OUT=$(if $(filter-out demo,$(OUT)),$(OUT),study) scripts/study

test: setup
	GRAFT_REQUIRE_ORT=1 $(GO) test ./...

# In other programs: the report in headless Chromium.
elsewhere: build
	scripts/elsewhere

race: setup
	scripts/race

lint:
	scripts/lint

fuzz: setup
	scripts/fuzz $(FUZZTIME)

# Static binaries for six platforms in dist/, with their hashes.
release:
	GO="$(GO)" scripts/release

# Renames the module for publishing: make module MODULE=host/you/graft.
module:
	scripts/module "$(MODULE)"

clean:
	rm -rf bin dist $(OUT)
