# Two commands for a fresh clone: `make demo` and `make test`. Both need only Python 3.11-3.13 and make, and share .venv.
.PHONY: help demo base test fuzz lint clean
.NOTPARALLEL:
.DELETE_ON_ERROR:

CONSTRAINTS := requirements/constraints.txt
BIN := .venv/bin
VENV := .venv/.created
RUN := .venv/.installed-run
DEV := .venv/.installed-dev
WEIGHTS := README.md config.json heads.safetensors model.safetensors tokenizer.json tokenizer_config.json \
	training_history.json

# The first interpreter on the path that answers with a supported version; a name that only exists (a shim) does not count.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	if $$name -c '$(SUPPORTED)' >/dev/null 2>&1; then echo $$name; break; fi; done)

help:
	@echo "make demo   install, then the whole path on generated data: teacher, soft labels, student, export, report"
	@echo "make base   pre-train the embedded encoder again: make base DATA=folder-with-wdc_lspc_titles"
	@echo "make test   install, then lint, types, import order and tests"
	@echo "make fuzz   twenty thousand seeded cases of odd files, settings, labels and bundles; minutes"
	@echo "make lint   the same without the tests"
	@echo "make clean  remove .venv and tool caches; runs stay"

demo: $(RUN)
	$(BIN)/distill --teacher base --student 8L_trunc

# DATA holds wdc_lspc_titles and wdc_products. Two runs, the second from the first's weights with a new warm-up; two hours
# on two cores, and a second start goes on where a killed one was.
PRETRAIN := $(BIN)/distill pretrain --config base --set 'pretrain.texts.offers.root=$(abspath $(DATA))/wdc_lspc_titles'

base: $(RUN)
	@test -n "$(DATA)" || { echo "Name the folder of wdc_lspc_titles and wdc_products: make base DATA=folder" >&2; exit 1; }
	$(PRETRAIN)
	$(PRETRAIN) --checkpoint runs/base/pretrained --out runs/base-further \
		--set pretrain.training.max_steps=10000 --set pretrain.evaluate_steps=500
	mkdir -p teachers/weights/base
	cp $(addprefix runs/base-further/pretrained/,$(WEIGHTS)) teachers/weights/base/

# Three workers on two cores: while one waits for a process, a lock or a clock, the others go on. They take the files in
# the order of tests/longest.py, the longest first; one that takes ten minutes hangs, and ends as a failure.
test: lint
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --timeout 600

fuzz: $(DEV)
	$(BIN)/python -m pytest -m fuzz

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV):
	@$(if $(PYTHON),:,echo "No Python 3.11, 3.12 or 3.13 on the path: install one, or name it: make PYTHON=/path/to/python" >&2; exit 1)
	$(PYTHON) -m venv .venv
	@touch $@

# Editable, so that an edit never needs a new installation; the stamps make a second call skip pip.
$(RUN): $(VENV) pyproject.toml $(CONSTRAINTS)
	$(BIN)/python -m pip install --constraint $(CONSTRAINTS) --editable '.[train,cpu]'
	@touch $@

$(DEV): $(VENV) pyproject.toml $(CONSTRAINTS)
	$(BIN)/python -m pip install --constraint $(CONSTRAINTS) --editable '.[train,cpu,dev]'
	@touch $@ $(RUN)

clean:
	rm -rf .venv dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
