"""Run the study: `python -m experiments.regimes`."""

from experiments.regimes.program import main

if __name__ == "__main__":
    main()
