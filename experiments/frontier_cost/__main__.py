"""Run the study: `python -m experiments.frontier_cost`."""

from experiments.frontier_cost.program import main

if __name__ == "__main__":
    main()
