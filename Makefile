# Everything happens in .venv, which the first target that needs it sets up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# torch first: the plain dependency would bring the newest CUDA build.
TORCH ?= torch==2.13.0

.PHONY: demo test lint coverage api clean

demo: $(VENV)/installed
	$(BIN)/qgnn fit

test: $(VENV)/installed-dev
	OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n 2 -q

lint: $(VENV)/installed-dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

coverage: $(VENV)/installed-dev
	OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n 2 -q --cov --cov-report=term

api: $(VENV)/installed-dev
	$(BIN)/pdoc --docformat google --math -o docs/api qgnn_lightning qgnn_lightning.data._datamodule

$(VENV)/torch:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check "$(TORCH)"
	touch $@

$(VENV)/installed: pyproject.toml $(VENV)/torch
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[viz]"
	touch $@

$(VENV)/installed-dev: pyproject.toml $(VENV)/torch
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
