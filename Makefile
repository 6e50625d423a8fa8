# Each target is one command of dev.py, which makes what it needs; `make test ARGS="-k breaker"` passes arguments on.

PYTHON ?= python3
ARGS ?=

.PHONY: help demo run check test test-clients browser docs site

help:
	@$(PYTHON) dev.py help

demo:
	@$(PYTHON) dev.py demo $(ARGS)

run:
	@$(PYTHON) dev.py run $(ARGS)

check:
	@$(PYTHON) dev.py check

test:
	@$(PYTHON) dev.py test $(ARGS)

test-clients: # every client of docs/clients.md; installs them
	@$(PYTHON) dev.py clients $(ARGS)

browser: # the console in every state, theme and language
	@HOLDFAST_BROWSER_WHOLE=1 $(PYTHON) dev.py test tests/browser $(ARGS)

docs: # runs every example of the README and the documentation
	@$(PYTHON) dev.py test tests/docs $(ARGS)

site: # the pages, into site/
	@$(PYTHON) dev.py docs $(ARGS)
