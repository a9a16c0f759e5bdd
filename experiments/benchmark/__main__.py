"""Run the study: `python -m experiments.benchmark`."""

from experiments.benchmark.program import main

if __name__ == "__main__":
    main()
