"""Run the study: `python -m experiments.position`."""

from experiments.position.program import main

if __name__ == "__main__":
    main()
