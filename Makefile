# make        a private Python in .venv, the package built into it, a failing training run diagnosed
# make test   the tests; make lint   the static checks; make clean   all of that away

PYTHON ?= python3
# The release of PyTorch that is installed where python3 has none to lend.
TORCH ?= torch==2.13.*
# Without a GPU, PyTorch's own index has a build of a tenth of the size:
#   make TORCH_INDEX="--extra-index-url https://download.pytorch.org/whl/cpu"
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --retries 2
BUILT_FROM := pyproject.toml CMakeLists.txt $(wildcard native/*)
TORCH_IS_THERE := -c "import sys, torch; sys.exit(not torch.__version__.startswith('2.13.'))" 2>/dev/null
DEMO := demo/nan_training

.PHONY: demo test lint clean

demo: $(VENV)/.installed
	@mkdir -p demo
	$(BIN)/wellposed run --force -o $(DEMO).wellposed --html $(DEMO).html examples/nan_training.py
	@printf '\nThe report as a page:\n%s\n' '$(CURDIR)/$(DEMO).html'

test: $(VENV)/.with-tools
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.with-tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build demo .pytest_cache .mypy_cache .ruff_cache

$(VENV)/.created:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10) and 'wellposed needs Python 3.10 or later')"
	@if $(PYTHON) $(TORCH_IS_THERE); \
	    then echo 'Using the PyTorch of $(PYTHON).'; $(PYTHON) -m venv --system-site-packages $(VENV); \
	    else $(PYTHON) -m venv $(VENV); fi
	@touch $@

$(VENV)/.torch: $(VENV)/.created
	@$(BIN)/python $(TORCH_IS_THERE) || $(PIP) install $(TORCH_INDEX) '$(TORCH)'
	@touch $@

# numpy: PyTorch warns without it, and a borrowed PyTorch may come without.
$(VENV)/.installed: $(VENV)/.torch $(BUILT_FROM)
	@echo 'Building wellposed (a minute) …'
	@$(PIP) install --quiet --editable . numpy
	@touch $@

$(VENV)/.with-tools: $(VENV)/.torch $(BUILT_FROM)
	$(PIP) install --quiet --editable '.[test,lint]'
	@touch $@ $(VENV)/.installed
