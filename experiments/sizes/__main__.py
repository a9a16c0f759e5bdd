"""Run the study: `python -m experiments.sizes`."""

from experiments.sizes.program import main

if __name__ == "__main__":
    main()
