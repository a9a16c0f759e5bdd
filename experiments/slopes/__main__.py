"""Run the study: `python -m experiments.slopes`."""

from experiments.slopes.program import main

if __name__ == "__main__":
    main()
