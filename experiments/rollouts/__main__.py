"""Run the study: `python -m experiments.rollouts`."""

from experiments.rollouts.program import main

if __name__ == "__main__":
    main()
