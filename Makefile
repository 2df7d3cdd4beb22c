# Two commands need nothing but Rust, a C compiler, make and Python 3.11+ with venv:
#   make demo    the main job, end to end
#   make test    every test
# uv lives in .uv/, apart from the project's .venv that it manages: a sync must not remove it.

UV := .uv/bin/uv
PACKAGES := --workspace --exclude cwts-python
export UV_PYTHON_DOWNLOADS := never

.PHONY: demo test test-rust test-python peers-test check style checkers bench asv asv-quick clean

demo: $(UV)
	$(UV) run --locked --no-dev cwts demo

test: test-rust test-python

# rust/python is left out: outside maturin it links libpython, which a bare machine may lack.
# pytest covers it. nextest runs no documentation tests, hence the second line.
test-rust:
	if cargo nextest --version >/dev/null 2>&1; then \
	  cargo nextest run --locked $(PACKAGES) && cargo test --locked --doc --quiet $(PACKAGES); \
	else \
	  cargo test --locked $(PACKAGES); \
	fi

test-python: $(UV)
	$(UV) run --locked pytest -q

# Our decisions against other engines'. NautilusTrader is 100 MB and LGPL: for this run only.
peers-test: $(UV)
	$(UV) run --locked --with nautilus_trader==1.221.0 --with pymerkle==7.0.0 --with blspy==2.0.3 pytest -q tests/test_peers_risk.py

check: style checkers

style: $(UV)
	cargo fmt --all -- --check
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	$(UV) run --locked ruff check .
	$(UV) run --locked ruff format --check .
	$(UV) run --locked mypy

# Loom, sanitizers, fuzz targets, and the planted bugs that each of them must find.
checkers: $(UV)
	sh checks/all.sh

# Side by side with the peers, in one process; the ratio is the figure.
bench: $(UV)
	$(UV) run --locked --no-dev --extra bench --with nautilus_trader==1.221.0 --with pymerkle==7.0.0 --with blspy==2.0.3 cwts bench --peers

# The same over commits, as static pages under .asv/html; figures.html among them loads nothing. asv
# cleans its clone between commits, so the target directory stays outside it.
asv: $(UV)
	$(UV) run --locked --extra bench asv machine --yes
	CARGO_TARGET_DIR="$${HOME}/.cache/cwts-asv" $(UV) run --locked --extra bench asv run 'HEAD^!'
	$(UV) run --locked --extra bench asv publish
	$(UV) run --locked --extra bench python tools/asv_plain.py .asv/results .asv/html

# Each benchmark once, in the environment at hand, and the page that lists them all: nothing is built
# a second time, and no figure is judged.
asv-quick: $(UV)
	$(UV) run --locked --extra bench sh checks/asv.sh

clean:
	rm -rf .uv .venv target

$(UV):
	python3 -m venv .uv
	.uv/bin/pip install -q 'uv>=0.13,<0.14'
