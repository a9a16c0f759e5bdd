"""Run the study: `python -m experiments.shells`."""

from experiments.shells.program import main

if __name__ == "__main__":
    main()
