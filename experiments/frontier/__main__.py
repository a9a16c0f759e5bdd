"""Run the study: `python -m experiments.frontier`."""

from experiments.frontier.program import main

if __name__ == "__main__":
    main()
