# Each target is one command of dev.py, which makes what it needs; `make test ARGS="-k breaker"` passes arguments on.

PYTHON ?= python3
ARGS ?=

.PHONY: help run check test docs

help:
	@$(PYTHON) dev.py help

run:
	@$(PYTHON) dev.py run $(ARGS)

check:
	@$(PYTHON) dev.py check

test:
	@$(PYTHON) dev.py test $(ARGS)

docs: # runs every example of the README and the documentation
	@$(PYTHON) dev.py test tests/docs $(ARGS)
