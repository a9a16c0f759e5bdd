"""Run the study: `python -m experiments.convergence`."""

from experiments.convergence.program import main

if __name__ == "__main__":
    main()
