"""Run the study: `python -m experiments.masks`."""

from experiments.masks.program import main

if __name__ == "__main__":
    main()
