"""Run the study: `python -m experiments.launches`."""

from experiments.launches.program import main

if __name__ == "__main__":
    main()
