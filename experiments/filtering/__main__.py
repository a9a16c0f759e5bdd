"""Run the study: `python -m experiments.filtering`."""

from experiments.filtering.program import main

if __name__ == "__main__":
    main()
