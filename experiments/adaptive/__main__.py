"""Run the study: `python -m experiments.adaptive`."""

from experiments.adaptive.program import main

if __name__ == "__main__":
    main()
